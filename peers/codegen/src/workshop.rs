//! Methods at the root and in two namespaces.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::schemars::{self, JsonSchema};
use antiphon::{ErrorCodes, ErrorObject};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Interval, interval};

/// The methods at the root.
pub struct Workshop;

/// A workshop: sums, shapes and drawers, to try clients on.
///
/// Text that tries to leave its comment: */ """ \ `${x}`
///
/// ```ignore
/// compile_error!("an example is no test");
/// ```
#[antiphon::rpc(title = "Workshop")]
impl Workshop {
    /// Answers, so that callers know that somebody is there.
    fn rpc_ping(&self) -> &'static str {
        "pong"
    }

    /// Gives back what it was given.
    fn rpc_echo(&self, message: Option<Value>) -> Option<Value> {
        message
    }

    /// A page of something, whose parameters have names only.
    fn rpc_page(&self, words: Vec<String>, #[arg(flatten)] page: Page) -> Vec<String> {
        let words = words.into_iter().skip(page.start as usize);
        words.take(page.limit as usize).collect()
    }

    /// Was there before `page`.
    #[deprecated(note = "use `page`")]
    fn rpc_list(&self) -> (u8, Option<String>) {
        (1, None)
    }

    /// Adds numbers, whatever they are called.
    fn rpc_total(&self, start: i64, #[arg(flatten)] numbers: BTreeMap<String, i64>) -> i64 {
        start + numbers.values().sum::<i64>()
    }

    /// Counts from 1 to `count`, or for ever.
    fn rpc_ticks(
        &self,
        count: Option<u64>,
        /// From one to the next.
        milliseconds: Option<u64>,
    ) -> impl Stream<Item = u64> + use<> {
        let pause = Duration::from_millis(milliseconds.unwrap_or(1000).max(1));
        Ticks {
            next: 1,
            last: count.unwrap_or(u64::MAX),
            interval: interval(pause),
        }
    }
}

/// Where a page is.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Page {
    /// How many at most.
    #[serde(default = "ten")]
    limit: u32,
    #[serde(default)]
    start: u32,
}

fn ten() -> u32 {
    10
}

/// Numbers, as time goes by.
struct Ticks {
    next: u64,
    last: u64,
    interval: Interval,
}

impl Stream for Ticks {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.next > self.last {
            return Poll::Ready(None);
        }
        self.interval.poll_tick(cx).map(|_| {
            self.next += 1;
            Some(self.next - 1)
        })
    }
}

/// Sums.
pub struct Calculator;

/// Does sums.
#[antiphon::rpc]
impl Calculator {
    /// Adds two numbers.
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Divides two numbers.
    #[method(errors = CalculatorError)]
    fn rpc_divide(
        &self,
        a: i64,
        /// Anything but 0.
        b: i64,
    ) -> Result<i64, CalculatorError> {
        a.checked_div(b).ok_or(CalculatorError::DivisionByZero)
    }

    /// Paths of `size` steps, each of them `step` long.
    #[method(name = "randomPaths")]
    fn rpc_random_paths(
        &self,
        #[arg(default = 1)] num_paths: u32,
        #[arg(default = 3)] size: u32,
        step: Option<f64>,
    ) -> Vec<Vec<f64>> {
        let path = || (0..=size).map(|at| f64::from(at) * step.unwrap_or(1.0));
        (0..num_paths.min(100)).map(|_| path().collect()).collect()
    }
}

/// Why there is no quotient.
#[derive(Debug, ErrorCodes)]
enum CalculatorError {
    /// There is no such number.
    #[code(1)]
    #[message("division by zero")]
    DivisionByZero,
}

/// Types of every kind.
pub struct Shapes;

/// Shapes, trees and commands.
#[antiphon::rpc]
impl Shapes {
    /// The area of a shape.
    fn rpc_area(&self, shape: Shape) -> f64 {
        match shape {
            Shape::Circle { radius, .. } => radius * radius * 3.0,
            Shape::Rectangle(Rectangle { width, height }) => width * height,
            Shape::Nothing => 0.0,
        }
    }

    /// The shape of a colour, if there is one.
    fn rpc_find(&self, color: Color, names: Option<BTreeMap<String, Color>>) -> Option<Shape> {
        let named = names.is_some_and(|names| names.contains_key("here"));
        match color {
            Color::Red | Color::DeepBlue if !named => None,
            Color::Red => Some(Shape::Nothing),
            _ => Some(Shape::Circle {
                center: Point {
                    x: 1.0,
                    y: 2.0,
                    label: None,
                },
                radius: 1.5,
            }),
        }
    }

    /// A tree in which every branch has two.
    fn rpc_tree(&self, depth: u8) -> Tree {
        let children = match depth.min(10) {
            0 => Vec::new(),
            depth => vec![self.rpc_tree(depth - 1), self.rpc_tree(depth - 1)],
        };
        Tree {
            kind: Color::Red,
            children,
            next: None,
        }
    }

    /// Follows a command, and says what came of it.
    fn rpc_follow(&self, command: Command) -> Vec<Event> {
        match command {
            Command::Stop => vec![Event::Cleared],
            Command::Wait(milliseconds) => vec![Event::Waited(milliseconds)],
            Command::Draw { shape, times } => {
                let times = times.unwrap_or(1).min(10);
                (0..times).map(|_| Event::Drawn(shape.clone())).collect()
            }
        }
    }

    /// Numbers or texts, as they came.
    fn rpc_either(&self, values: Vec<Either>) -> Vec<Either> {
        values
    }

    /// What happens to shapes; fails after the second event.
    #[method(notification = "shapes.changed", unsubscribe = "shapes.unwatch")]
    fn rpc_watch(
        &self,
        color: Option<Color>,
    ) -> impl Stream<Item = Result<Event, ErrorObject>> + use<> {
        let last = match color {
            Some(_) => Err(ErrorObject::new(9, "no more")),
            None => Ok(Event::Waited(7)),
        };
        Events(vec![
            last,
            Ok(Event::Cleared),
            Ok(Event::Drawn(Shape::Nothing)),
        ])
    }
}

/// Events, the last first.
struct Events(Vec<Result<Event, ErrorObject>>);

impl Stream for Events {
    type Item = Result<Event, ErrorObject>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop())
    }
}

/// A colour.
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "kebab-case")]
enum Color {
    Red,
    Green,
    /// Almost violet.
    DeepBlue,
}

/// A place on the plane.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
pub(crate) struct Point {
    /// To the right.
    x: f64,
    y: f64,
    label: Option<String>,
}

/// Told apart by its kind.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Shape {
    /// Round.
    Circle {
        center: Point,
        radius: f64,
    },
    Rectangle(Rectangle),
    Nothing,
}

/// With four corners.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
pub(crate) struct Rectangle {
    width: f64,
    height: f64,
}

/// Has others of its kind.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
struct Tree {
    #[serde(rename = "type")]
    kind: Color,
    children: Vec<Self>,
    next: Option<Box<Self>>,
}

/// A text, or an object with one member.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "lowercase")]
enum Command {
    Stop,
    /// So many milliseconds.
    Wait(u16),
    Draw {
        shape: Shape,
        times: Option<u8>,
    },
}

/// What has happened.
#[derive(JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(tag = "event", content = "data")]
enum Event {
    Drawn(Shape),
    Waited(u16),
    Cleared,
}

/// A number or a text.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
}
