//! Events and effects as a line to read.

use lab_hadr::{Effect, Event, Message};

/// An event, with the message in a frame.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Frame { conn, bytes } => match Message::decode(bytes) {
            Ok(Some(message)) => format!("Frame {{ {}, {} }}", conn.0, message_line(&message)),
            Ok(None) | Err(_) => format!("Frame {{ {}, {bytes:?} }}", conn.0),
        },
        other => short(&format!("{other:?}")),
    }
}

/// An effect.
pub(crate) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Send { conn, message } => format!("Send {{ {}, {} }}", conn.0, message_line(message)),
        Effect::Append { db, bytes } => format!("Append {{ {db}, {} bytes }}", bytes.len()),
        other => short(&format!("{other:?}")),
    }
}

fn message_line(message: &Message) -> String {
    match message {
        Message::Log { db, from, bytes } => format!("Log {{ {db}, from {}, {} bytes }}", from.0, bytes.len()),
        other => short(&format!("{other:?}")),
    }
}

fn short(text: &str) -> String {
    text.chars().take(600).collect()
}
