//! What a managed instance is declared to be used for, and so what licences it needs.

use super::draft::OPERATION_MS;
use super::{Condition, Phase, Plan, PlanError, Step, Verb};
use crate::action::{Action, ArmCall, HybridUsage};
use crate::observe::Observation;
use crate::spec::LinkSpec;

/// What the journal calls it: the declaration is the instance's, and no link's.
const NAME: &str = "hybrid-benefit";

/// Declares the managed instance active or passive: one step, or none where it is so already.
///
/// # Errors
/// Azure does not answer.
pub fn benefit(usage: HybridUsage, seen: &Observation) -> Result<Plan, PlanError> {
    let azure = seen.azure.get().map_err(PlanError::azure)?;
    let link = LinkSpec::new(NAME, &[NAME]).links().map(|mut links| links.remove(0));
    let link = link.map_err(|e| PlanError::refused(e.to_string(), "this is an error of milink"))?;
    let before = match azure.hybrid_usage.as_deref() {
        Some(now) if now.eq_ignore_ascii_case("Passive") => HybridUsage::Passive,
        _ => HybridUsage::Active,
    };
    let set = |usage| Action::arm(ArmCall::SetHybridUsage { usage });
    let is = |usage| Condition::HybridUsage { usage };
    let step = Step::new(
        "set-hybrid-usage",
        format!("Declare managed instance {} {usage:?}", azure.name),
        Phase::Cleanup,
        set(usage),
        is(usage),
    )
    .within(OPERATION_MS)
    .undo(set(before), is(before));
    let mut notes = Vec::new();
    let used = azure.hybrid_usage_detected.as_deref().is_some_and(|d| d.eq_ignore_ascii_case("Active"));
    if usage == HybridUsage::Passive && used {
        notes.push(
            "Azure sees that the instance is used: declared passive, licences are owed for it.".to_owned(),
        );
    }
    let steps = if is(usage).judge(seen).holds() { Vec::new() } else { vec![step] };
    Ok(Plan { verb: Verb::Fix, link, steps, notes })
}
