//! Results of one peer in one case, in all rounds.

use crate::cases::{Case, Form};
use crate::finding::{Finding, Memory, Relay};
use crate::statistics::Spread;
use crate::window::Sample;

/// The peer that the ratios refer to, besides the floor.
pub(crate) const BASELINE: &str = "jsonrpsee";

/// The peer with the minimal work.
pub(crate) const FLOOR: &str = "floor";

/// All results of one peer in one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) peer: &'static str,
    pub(crate) samples: Vec<Sample>,
    pub(crate) memory: Vec<Memory>,
    /// Connections of each worker.
    pub(crate) turns: Vec<Vec<usize>>,
    pub(crate) relays: Vec<Relay>,
    pub(crate) state: State,
}

/// Whether there are figures.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    Measured,
    /// The peer does not have the method of the case.
    Empty,
    /// The peer does not support the transport of the case, for this reason.
    Refused(String),
}

impl Row {
    pub(crate) fn new(case: Case, peer: &'static str) -> Self {
        Self {
            case,
            peer,
            samples: Vec::new(),
            memory: Vec::new(),
            turns: Vec::new(),
            relays: Vec::new(),
            state: State::Measured,
        }
    }

    /// A row without figures, because the peer does not have the method of the case.
    pub(crate) fn empty(case: Case, peer: &'static str) -> Self {
        Self {
            state: State::Empty,
            ..Self::new(case, peer)
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    pub(crate) fn add(&mut self, found: Finding) {
        match found {
            Finding::Cpu(sample) => self.samples.push(sample),
            Finding::Memory(memory) => self.memory.push(memory),
            Finding::Turns(counts) => self.turns.push(counts),
            Finding::Relay(relay) => self.relays.push(relay),
            Finding::Refused(why) => self.state = State::Refused(why),
        }
    }

    /// A figure of each round.
    pub(crate) fn figures(&self, figure: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(figure).collect()
    }

    /// The figure of each round that the short table compares: CPU time per call, or memory.
    pub(crate) fn main_figures(&self) -> Vec<f64> {
        match self.case.form() {
            Form::Memory => self.memory.iter().map(|memory| memory.kib).collect(),
            _ => self.figures(Sample::cpu_us),
        }
    }

    /// The ratio to another peer in the same case.
    pub(crate) fn ratio_to(
        &self,
        rows: &[Self],
        peer: &str,
        figures: impl Fn(&Self) -> Vec<f64>,
    ) -> Option<Spread> {
        let other = find(rows, self.case, peer)?;
        Spread::of_ratios(&figures(self), &figures(other))
    }
}

/// The row of a peer in a case.
pub(crate) fn find<'a>(rows: &'a [Row], case: Case, peer: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.case == case && row.peer == peer)
}
