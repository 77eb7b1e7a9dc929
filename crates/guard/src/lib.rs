//! Resource server kit: verify, challenge, publish metadata; a tower layer behind the feature http.
