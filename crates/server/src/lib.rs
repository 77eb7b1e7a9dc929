//! Composition root: listeners, lifecycle, background tasks and telemetry.
