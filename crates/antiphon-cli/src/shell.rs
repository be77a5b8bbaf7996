//! `antiphon completions` and `antiphon man`: shell completions and the manual page.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args)]
#[command(after_help = HELP)]
pub(crate) struct CompletionsCommand {
    /// The shell that is to complete
    #[arg(value_enum)]
    shell: Shell,
}

const HELP: &str = "\
Examples:
  antiphon completions bash > ~/.local/share/bash-completion/completions/antiphon
  antiphon completions zsh > \"${fpath[1]}/_antiphon\"
  antiphon completions fish > ~/.config/fish/completions/antiphon.fish";

impl CompletionsCommand {
    pub(crate) fn run(self, mut command: Command, output: &Output) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut command, "antiphon", &mut script);
        output.raw(&script)?;
        Ok(Exit::Done)
    }
}

/// Prints the manual of the tool and of each of its commands.
pub(crate) fn manual(mut command: Command, output: &Output) -> Result<Exit, Failure> {
    command.build();
    let mut text = Vec::new();
    let whole = clap_mangen::Man::new(command.clone());
    let written = whole.render(&mut text).and_then(|()| {
        let commands = command.get_subcommands().filter(|one| !one.is_hide_set());
        for one in commands.filter(|one| one.get_name() != "help") {
            clap_mangen::Man::new(one.clone()).render(&mut text)?;
        }
        Ok(())
    });
    written.map_err(|error| Failure::io("the manual", &error))?;
    output.raw(&text)?;
    Ok(Exit::Done)
}
