//! Authorization server kit; the axum routes stand behind the feature http.
