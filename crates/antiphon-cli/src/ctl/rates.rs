//! Rates of a worker between two samples: CPU time and calls per second.

use std::collections::HashMap;

use serde_json::Value;

/// Tolerance in seconds within which two samples show the same report: the server reads the
/// worker's age and the time since its last report one after the other.
const SAME: f64 = 0.05;

/// Rates of one worker, per second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Rate {
    pub(super) calls: f64,
    /// CPU time in seconds.
    pub(super) cpu: f64,
}

/// Rates of all workers by id.
#[derive(Debug, Default)]
pub(super) struct Rates {
    known: HashMap<String, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    report: Report,
    rate: Option<Rate>,
}

/// The figures of a worker's latest report.
#[derive(Clone, Copy, Debug)]
struct Report {
    /// The age of the worker at the time of the report, in seconds.
    at: f64,
    calls: f64,
    cpu: f64,
}

impl Rates {
    /// Takes a sample of all workers. Workers that have gone are forgotten.
    pub(super) fn look(&mut self, workers: &[&Value]) {
        let mut known = HashMap::with_capacity(workers.len());
        for worker in workers {
            let (Some(id), Some(report)) = (id(worker), Report::of(worker)) else {
                continue;
            };
            let now = match self.known.get(id) {
                Some(before) => before.then(report),
                None => Known { report, rate: None },
            };
            known.insert(id.to_owned(), now);
        }
        self.known = known;
    }

    /// The rate of a worker; `None` before its second report.
    pub(super) fn of(&self, worker: &Value) -> Option<Rate> {
        self.known.get(id(worker)?)?.rate
    }
}

impl Known {
    /// Updates the rate with a further report.
    fn then(self, report: Report) -> Self {
        let passed = report.at - self.report.at;
        if passed.abs() < SAME {
            // No new report since the last sample: the last known rate stays.
            return self;
        }
        let rate = Rate {
            calls: (report.calls - self.report.calls) / passed,
            cpu: (report.cpu - self.report.cpu) / passed,
        };
        let sane = passed > 0.0 && rate.calls >= 0.0 && rate.cpu >= 0.0;
        Self {
            report,
            rate: sane.then_some(rate),
        }
    }
}

impl Report {
    fn of(worker: &Value) -> Option<Self> {
        let number = |path: &str| worker.pointer(path)?.as_f64();
        let silence = number("/seconds_since_notified").unwrap_or_default();
        Some(Self {
            at: number("/actor/uptime")? - silence,
            calls: number("/rpcserver/clients/requests_processed")?,
            cpu: number("/system/cpu_seconds")?,
        })
    }
}

fn id(worker: &Value) -> Option<&str> {
    worker.pointer("/actor/actor_id")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn worker(uptime: f64, silence: f64, calls: u64, cpu: f64) -> Value {
        json!({
            "actor": {"actor_id": "i1", "uptime": uptime},
            "rpcserver": {"clients": {"requests_processed": calls}},
            "system": {"cpu_seconds": cpu},
            "seconds_since_notified": silence,
        })
    }

    #[test]
    fn a_rate_is_the_difference_of_two_reports() {
        let half = Some(Rate {
            calls: 50.0,
            cpu: 0.5,
        });
        let table = [
            ("a first look", worker(10.0, 1.0, 100, 1.0), None),
            // Not one second later, according to the worker's own reports.
            ("the same report", worker(10.5, 1.50001, 100, 1.0), None),
            ("another one", worker(11.5, 0.5, 200, 2.0), half),
            ("the same again", worker(12.5, 1.5, 200, 2.0), half),
            (
                "nothing done",
                worker(13.5, 0.5, 200, 2.0),
                Some(Rate {
                    calls: 0.0,
                    cpu: 0.0,
                }),
            ),
            ("fewer than before", worker(14.5, 0.5, 3, 2.0), None),
            ("younger than before", worker(1.5, 0.5, 4, 2.0), None),
            (
                "half of it missing",
                json!({"actor": {"actor_id": "i1"}}),
                None,
            ),
            ("back again", worker(3.0, 0.0, 9, 9.0), None),
        ];
        let mut rates = Rates::default();
        for (what, worker, expected) in table {
            rates.look(&[&worker]);
            assert_eq!(rates.of(&worker), expected, "{what}");
        }
    }
}
