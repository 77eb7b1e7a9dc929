//! Fakes for the doors, scripted peers that misbehave, and fixtures.
