//! The macros of failpoints: nothing at all without the feature.

/// Dies or hangs here if a fault test asks for it; see `failpoint`. Blocks the thread.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::hit($name)
    };
}

/// The same inside an `async fn`: only the task hangs.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint_in_task {
    ($name:literal) => {
        $crate::failpoint::hit_in_task($name).await
    };
}

/// The same where the place can fail: an `io::Result<()>`.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint_io {
    ($name:literal) => {
        $crate::failpoint::hit_io($name)
    };
}

/// Nothing: this is not a build for fault tests.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {{}};
}

/// Nothing: this is not a build for fault tests.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint_in_task {
    ($name:literal) => {{}};
}

/// Nothing goes wrong: this is not a build for fault tests.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint_io {
    ($name:literal) => {
        core::result::Result::<(), std::io::Error>::Ok(())
    };
}
