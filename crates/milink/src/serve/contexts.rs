//! The contexts that are served, and how each is connected.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use milink_core::secret::Secret;
use milink_web::{Connect, Connected, ContextInfo, Endpoints, Rehearsal};

use super::rehearsal::LabRehearsal;
use crate::connect::{ConnectArguments, Environment, FORMS, SecretRef, Settings};
use crate::context::ConfigFile;
use crate::exit::Failure;
use crate::link::session::sides;

/// What a context without a name is called.
const UNNAMED: &str = "default";

/// All contexts, with their settings. Secrets are read when a context is connected.
pub(super) struct Contexts {
    contexts: Vec<(ContextInfo, Settings)>,
    journal: PathBuf,
    /// The folder of the lab that the environment is of; only where the environment alone says where both sides are.
    lab: Option<PathBuf>,
}

impl Contexts {
    /// If flags or the environment say where a side is, then it is one context, as for every other verb; otherwise all that are kept.
    ///
    /// # Errors
    /// Something of it cannot be understood.
    pub(super) fn of(arguments: &ConnectArguments, journal: &Path) -> Result<Contexts, Failure> {
        let environment = Environment::of_process();
        let alone = Settings::resolve(arguments, &environment, None)?;
        let named = arguments.context.is_some() || environment.get("MILINK_CONTEXT")?.is_some();
        let here = alone.sql_server.is_some() || alone.managed.is_some() || alone.azure.is_some();
        let contexts = if named || here {
            let chosen = ConfigFile::chosen(arguments.context.as_deref(), &environment)?;
            let name = chosen.as_ref().map_or_else(|| UNNAMED.to_owned(), |(name, _)| name.clone());
            vec![(name, Settings::resolve(arguments, &environment, chosen)?)]
        } else {
            let file = ConfigFile::read(&ConfigFile::path(&environment)?)?;
            let current = file.current().map(str::to_owned);
            let mut all = Vec::new();
            for (name, context) in file.contexts() {
                let chosen = Some((name.clone(), context.clone()));
                all.push((name.clone(), Settings::resolve(arguments, &environment, chosen)?));
            }
            // Pages begin with the one that every other verb takes.
            all.sort_by_key(|(name, _)| Some(name) != current.as_ref());
            all
        };
        let with_info = |(name, settings): (String, Settings)| (info(name, &settings), settings);
        // A context of the file may lead anywhere: nothing is broken on purpose beside it.
        let lab = environment.get("MILINK_LAB_DATA")?.filter(|_| here && !named).map(PathBuf::from);
        let contexts = contexts.into_iter().map(with_info).collect();
        Ok(Contexts { contexts, journal: journal.to_owned(), lab })
    }
}

fn info(name: String, settings: &Settings) -> ContextInfo {
    let server = |side: &Option<crate::connect::SideSettings>| {
        side.as_ref().and_then(|s| s.server()).map(|server| server.to_string())
    };
    ContextInfo {
        name,
        sql_server: server(&settings.sql_server),
        managed: server(&settings.managed),
        instance: settings.azure.as_ref().and_then(|a| a.instance_name()).map(str::to_owned),
    }
}

#[async_trait::async_trait]
impl Connect for Contexts {
    fn contexts(&self) -> Vec<ContextInfo> {
        self.contexts.iter().map(|(info, _)| info.clone()).collect()
    }

    fn rehearsal(&self, _: &str) -> Option<Arc<dyn Rehearsal>> {
        self.lab.clone().map(|data| Arc::new(LabRehearsal::new(data)) as Arc<dyn Rehearsal>)
    }

    async fn connect(&self, context: &str) -> Result<Connected, String> {
        let found = self.contexts.iter().find(|(info, _)| info.name == context);
        let (_, settings) = found.ok_or_else(|| format!("there is no context {context}"))?;
        let (sides, learnt) = Box::pin(sides(settings)).await.map_err(|e| e.to_string())?;
        let endpoint = |side: &Option<crate::connect::SideSettings>| {
            side.as_ref().and_then(|s| s.endpoint()).map(str::to_owned)
        };
        let endpoints =
            Endpoints { sql_server: endpoint(&settings.sql_server), managed: endpoint(&settings.managed) };
        let warnings = settings.warnings.iter().cloned().chain(learnt).collect();
        Ok(Connected { sides, journal: self.journal.clone(), endpoints, warnings })
    }
}

/// A secret, read from where a flag says that it is.
///
/// # Errors
/// The flag is no reference, or the secret is not there.
pub(super) fn secret(reference: &Secret, flag: &str) -> Result<Secret, Failure> {
    let place: SecretRef = reference
        .expose()
        .parse()
        .map_err(|e: String| Failure::arguments(e, flag, format!("write {FORMS}")))?;
    place.read(&Environment::of_process())
}
