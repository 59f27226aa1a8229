//! One lab server: listener, logins, sessions; puts the wire and the engine together.
