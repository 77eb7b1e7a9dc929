//! The SQLite backend and its migrations.
