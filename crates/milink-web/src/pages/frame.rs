//! What is around every page: who has signed in, the contexts, the object tree, the stream of what is live.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::tree::Tree;
use super::{Theme, path};
use crate::app::App;
use crate::events;
use crate::security::Session;
use crate::state::Watched;

/// Who asks for a page.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// As whom.
    pub(crate) session: Arc<Session>,
    /// How they want to see it.
    pub(crate) theme: Theme,
    /// The address that was asked for, with its query.
    pub(crate) here: String,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visitor, StatusCode> {
        // The guard has put it there; a route beside the guard has no visitors.
        let session = parts.extensions.get::<Arc<Session>>().cloned().ok_or(StatusCode::UNAUTHORIZED)?;
        let here = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Ok(Visitor { session, theme: Theme::of(&parts.headers), here })
    }
}

/// A context in the list of contexts.
#[derive(Debug)]
pub(crate) struct ContextItem {
    /// Its name.
    pub(crate) name: String,
    /// Its page.
    pub(crate) href: String,
    /// Whether the page is of this one.
    pub(crate) current: bool,
}

/// What is around a page.
#[derive(Debug)]
pub(crate) struct Frame {
    /// As whom the visitor has signed in.
    pub(crate) user: String,
    /// Whether they may change something.
    pub(crate) operator: bool,
    /// The token of this page.
    pub(crate) csrf: String,
    /// Their theme.
    pub(crate) theme: Theme,
    /// The address of this page.
    pub(crate) here: String,
    /// All contexts.
    pub(crate) contexts: Vec<ContextItem>,
    /// The one that the page is of.
    pub(crate) context: Option<String>,
    /// The objects of that context.
    pub(crate) tree: Option<Tree>,
    /// Where the context can be rehearsed, if it can.
    pub(crate) rehearse: Option<String>,
    /// The stream of what is live on this page.
    pub(crate) events: Option<String>,
}

impl Frame {
    /// Around a page of a context, or of none. The object tree is live.
    pub(crate) fn new(app: &App, visitor: &Visitor, context: Option<&Watched>) -> Frame {
        let name = context.map(|c| c.info.name.clone());
        let item = |c: &Arc<Watched>| ContextItem {
            name: c.info.name.clone(),
            href: path(&["c", &c.info.name]),
            current: Some(&c.info.name) == name.as_ref(),
        };
        Frame {
            user: visitor.session.user.clone(),
            operator: visitor.session.is_operator(),
            csrf: visitor.session.csrf_token(),
            theme: visitor.theme,
            here: visitor.here.clone(),
            contexts: app.hub.contexts().iter().map(item).collect(),
            rehearse: context
                .filter(|c| c.rehearsing().is_some())
                .map(|c| path(&["c", &c.info.name, "rehearse"])),
            tree: context.map(|c| Tree::of(&c.info, &c.snapshot())),
            events: context.map(|c| events::address(&c.info.name, &["tree"])),
            context: name,
        }
    }

    /// With further topics of [`crate::events`] that are live on this page.
    pub(crate) fn live(mut self, topics: &[&str]) -> Frame {
        if let Some(context) = &self.context {
            let all: Vec<&str> = std::iter::once("tree").chain(topics.iter().copied()).collect();
            self.events = Some(events::address(context, &all));
        }
        self
    }
}
