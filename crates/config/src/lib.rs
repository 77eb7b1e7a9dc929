//! Files and environment to typed settings, with the origin of each value.
