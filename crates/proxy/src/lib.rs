//! Admit a request, attach the credential, forward it and stream the answer back.
