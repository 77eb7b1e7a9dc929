//! The OAuth client engine: a step function that discovers, registers, signs in, refreshes and steps up.
