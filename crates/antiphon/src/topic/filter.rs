//! Filters: what a subscriber wants to have of the items of its keys.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use crate::error::{IncidentScope, guard};

/// The log message for a panic in a filter.
const PANICKED: &str = "a filter of a topic panicked";

thread_local! {
    /// Whether a filter runs on this thread, under the lock of its topic.
    static RUNS: Cell<bool> = const { Cell::new(false) };

    /// What filters of this thread have set off and what needs the lock under which they run.
    static LATER: RefCell<Vec<Act>> = const { RefCell::new(Vec::new()) };
}

type Act = Box<dyn FnOnce()>;

/// A test of items, and the next one: an item has to pass all.
pub(super) struct Filter {
    test: Box<dyn Test>,
    next: OnceLock<Box<Self>>,
}

trait Test: Send + Sync {
    fn value(&self, item: &dyn Any) -> bool;
    fn text(&self, json: &[u8]) -> bool;
}

struct Typed<T, F> {
    test: F,
    item: std::marker::PhantomData<fn(&T)>,
}

impl<T, F> Test for Typed<T, F>
where
    T: DeserializeOwned + 'static,
    F: Fn(&T) -> bool + Send + Sync,
{
    fn value(&self, item: &dyn Any) -> bool {
        item.downcast_ref().is_some_and(&self.test)
    }

    fn text(&self, json: &[u8]) -> bool {
        serde_json::from_slice(json).is_ok_and(|item| (self.test)(&item))
    }
}

impl Filter {
    pub(super) fn new<T, F>(test: F) -> Self
    where
        T: DeserializeOwned + 'static,
        F: Fn(&T) -> bool + Send + Sync + 'static,
    {
        let item = std::marker::PhantomData;
        Self {
            test: Box::new(Typed { test, item }),
            next: OnceLock::new(),
        }
    }

    /// Adds another one behind this.
    pub(super) fn append(&self, mut other: Box<Self>) {
        let mut last = self;
        loop {
            match last.next.set(other) {
                Ok(()) => return,
                Err(back) => other = back,
            }
            match last.next.get() {
                Some(next) => last = next,
                None => return,
            }
        }
    }

    fn all(&self, passes: impl Fn(&dyn Test) -> bool) -> bool {
        let mut next = Some(self);
        while let Some(filter) = next {
            if !run(|| passes(&*filter.test)) {
                return false;
            }
            next = filter.next.get().map(|next| &**next);
        }
        true
    }

    /// Whether an item passes, as it is published.
    pub(super) fn passes(&self, item: &dyn Any) -> bool {
        self.all(|test| test.value(item))
    }

    /// Whether an item passes that was kept as text.
    pub(super) fn passes_text(&self, json: &[u8]) -> bool {
        self.all(|test| test.text(json))
    }

    /// Whether one runs on this thread.
    pub(super) fn is_running() -> bool {
        RUNS.get()
    }

    /// Does something when this thread has left the filter, and the lock of its topic.
    pub(super) fn later(act: impl FnOnce() + 'static) {
        LATER.with_borrow_mut(|acts| acts.push(Box::new(act)));
    }

    /// Does what filters have left for later. This thread holds no lock of a topic.
    pub(super) fn settle() {
        if RUNS.get() {
            return;
        }
        loop {
            // Taken out first: an act may publish. At the end of a thread there are none.
            let acts = LATER.try_with(RefCell::take).unwrap_or_default();
            if acts.is_empty() {
                return;
            }
            acts.into_iter().for_each(|act| act());
        }
    }

    /// Refuses what needs the lock under which filters run.
    ///
    /// # Panics
    ///
    /// In a filter. The panic ends that filter, and the item does not pass.
    pub(super) fn forbid(what: &str) {
        assert!(!RUNS.get(), "a filter of a topic must not {what}");
    }
}

/// Runs user code. One that panics lets nothing pass.
fn run(test: impl FnOnce() -> bool) -> bool {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            RUNS.set(self.0);
        }
    }
    let _reset = Reset(RUNS.replace(true));
    let scope = IncidentScope::enter();
    let passed = guard(PANICKED, test).unwrap_or(false);
    scope.log(|| ("a topic".to_owned(), "its filter"));
    passed
}
