//! Methods of a nested namespace, with errors of their own.

use antiphon::schemars::{self, JsonSchema};
use antiphon::{ErrorCodes, ErrorObject};
use serde::Serialize;

use crate::workshop::Shape;

/// Drawers with shapes.
pub struct Drawers;

/// Drawers, of which there are three.
#[antiphon::rpc]
impl Drawers {
    /// Puts a shape into a drawer.
    #[method(errors = DrawerError)]
    fn rpc_put(
        &self,
        shape: Shape,
        drawer: u8,
        /// Whether to press.
        #[arg(name = "try")]
        pressed: Option<bool>,
    ) -> Result<Receipt, DrawerError> {
        match (drawer, pressed) {
            (0..3, _) => Ok(Receipt { drawer, shape }),
            (3, Some(true)) => Ok(Receipt { drawer: 2, shape }),
            (3, _) => Err(DrawerError::Full { drawer }),
            _ => Err(DrawerError::NoSuchDrawer),
        }
    }

    /// Takes everything out.
    fn rpc_clear(&self) -> Result<(), ErrorObject> {
        Ok(())
    }
}

/// What is where.
#[derive(JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
struct Receipt {
    drawer: u8,
    shape: Shape,
}

/// Why a drawer does not take a shape.
#[derive(Debug, ErrorCodes)]
enum DrawerError {
    #[code(101)]
    #[message("there is no such drawer")]
    NoSuchDrawer,
    /// Pressing may help.
    #[code(102)]
    #[message("drawer {drawer} is full")]
    Full { drawer: u8 },
}
