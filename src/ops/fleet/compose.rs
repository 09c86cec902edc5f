// SPDX-License-Identifier: Apache-2.0
//! Composing an action in a form: what was entered, what is wrong with which field, the text to sign, the launch. The
//! server signs nothing; the signatures come from wherever the keys are.

mod draft;

pub use draft::Draft;

use crate::error::{Error, Kind, Result};
use crate::model::acl::DEFAULT_ENTRY;
use crate::model::action::Action;
use crate::model::audit::Actor;
use crate::modules;
use crate::ops::App;
use crate::ops::fleet::preview::{Preview, preview};
use crate::ops::fleet::submit::{Origin, Submitter, submit};
use crate::store::fleet::{AclModule, ActionRow};
use crate::target;

/// Bytes of a signed text that are shown as a command for a shell; a longer one is signed from a file.
const COMMAND_BYTES_MAX: usize = 16 << 10;

/// What is wrong with a field of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field's name; empty for what is wrong with the whole.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// A form that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was entered.
    pub draft: Draft,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// What comes next, where nothing that is signed is wrong.
    pub ready: Option<Ready>,
}

/// What is needed to sign and launch.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The text that is signed, exactly.
    pub text: String,
    /// A command for a shell that signs it; none where it is too long for one.
    pub command: Option<String>,
    /// Who is meant now.
    pub preview: Preview,
    /// The number of agents above which it must be confirmed, where the target matches more.
    pub confirm_above: Option<i64>,
    /// What each module demands of the signatures; an entry of the ACL, or none where it has none for it.
    pub demands: Vec<(String, Option<AclModule>)>,
    /// False where one signature by an investigator with action_create suffices.
    pub has_acl: bool,
    /// Modules that muster's own agent does not have.
    pub unknown_modules: Vec<String>,
}

/// How a launch ended.
#[derive(Clone, Debug)]
pub enum Launch {
    /// It is stored; the scheduler has it.
    Done(Box<ActionRow>),
    /// Something is wrong with the form.
    Refused(Box<Checked>),
}

/// A form to begin with: `query` may name values, or `from`, the id of an action that is taken as a pattern. NotFound
/// where there is no such action.
pub fn begin(app: &App, query: &crate::model::pairs::Pairs) -> Result<Draft> {
    let now = app.clock.now();
    let pattern = match query.filled("from") {
        None => Draft::new(now),
        Some(id) => {
            let id = id.parse().map_err(|_| Error::invalid("from must be the id of an action"))?;
            let row = app.store.action(id)?;
            let row = row.ok_or_else(|| Error::not_found(format!("There is no action {id}")))?;
            Draft::like(&row.submitted()?, now)?
        }
    };
    Ok(pattern.with(query))
}

/// Looks at a form without launching anything. Signatures are not looked at.
pub fn check(app: &App, draft: Draft) -> Result<Checked> {
    let (action, mut problems) = draft.to_action(app.clock.now());
    let mut ready = None;
    if problems.is_empty() {
        match prepared(app, &action) {
            Ok(found) => ready = Some(found),
            // A target that takes too long can be narrowed like one that is wrong.
            Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Busy) => {
                problems.push(Problem { field: "target", message: error.message().to_owned() });
            }
            Err(error) => return Err(error),
        }
    } else if let Err(error) = target::parse(&action.target)
        && problems.iter().all(|problem| problem.field != "target")
    {
        problems.push(Problem { field: "target", message: error.message().to_owned() });
    }
    Ok(Checked { draft, problems, ready })
}

fn prepared(app: &App, action: &Action) -> Result<Ready> {
    let preview = preview(app, &action.target)?;
    let text = action.signed_text()?;
    let most = app.config.fleet.confirm_above;
    let acl = app.store.acl()?;
    let mut names: Vec<&str> =
        action.operations.iter().flatten().map(|operation| operation.module.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let entry = |wanted: &str| acl.iter().find(|entry| entry.module == wanted).cloned();
    Ok(Ready {
        command: (text.len() <= COMMAND_BYTES_MAX).then(|| shell_command(&text)),
        confirm_above: (preview.agents > most).then_some(most),
        demands: names
            .iter()
            .map(|name| ((*name).to_owned(), entry(name).or_else(|| entry(DEFAULT_ENTRY))))
            .collect(),
        has_acl: !acl.is_empty(),
        unknown_modules: names
            .iter()
            .filter(|name| !modules::NAMES.contains(name))
            .map(|name| (*name).to_owned())
            .collect(),
        text,
        preview,
    })
}

/// Quotes hold everything but themselves.
fn shell_command(text: &str) -> String {
    format!("printf %s '{}' | gpg --armor --detach-sign", text.replace('\'', r"'\''"))
}

/// Launches what a form holds, with its signatures. Kinds: those of the store where it cannot be stored now.
pub fn launch(app: &App, draft: Draft, actor: &Actor) -> Result<Launch> {
    let mut checked = check(app, draft)?;
    let Some(ready) = &checked.ready else { return Ok(Launch::Refused(Box::new(checked))) };
    let mut refuse = |field, message: &str| {
        checked.problems.push(Problem { field, message: message.to_owned() });
    };
    let (mut action, _) = checked.draft.to_action(app.clock.now());
    let signatures = checked.draft.signature_texts();
    if signatures.is_empty() {
        refuse("signatures", "Sign the text and put the signature here");
        return Ok(Launch::Refused(Box::new(checked)));
    }
    if let Some(most) = ready.confirm_above
        && !checked.draft.is_confirmed
    {
        refuse("confirmed", &format!("More than {most} agents: confirm that they are meant"));
        return Ok(Launch::Refused(Box::new(checked)));
    }
    action.pgpsignatures = Some(signatures);
    let submitter = Submitter { investigator_id: None, origin: Origin::Page, actor: actor.clone() };
    match submit(app, &action, &submitter) {
        Ok(row) => Ok(Launch::Done(Box::new(row))),
        Err(error) => {
            let field = match error.kind() {
                Kind::Invalid | Kind::Forbidden | Kind::TooLarge => "signatures",
                Kind::Conflict => "",
                _ => return Err(error),
            };
            refuse(field, error.message());
            Ok(Launch::Refused(Box::new(checked)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_the_text_as_it_is() {
        let text = r#"name=it's;target="a" $(x) \n `y` %s;é"#;
        let command = shell_command(text).replace("gpg --armor --detach-sign", "cat");
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    }
}
