//! Cache of a router's documents.

use std::sync::{Arc, PoisonError};

use serde_json::value::{RawValue, to_raw_value};

use crate::describe::documents::builder::OpenRpc;
use crate::describe::documents::specification::Specification;
use crate::describe::{Access, Reader, Tree};

impl Tree {
    /// The OpenRPC document for this reader, generated on first use, and when another server whose
    /// methods it has has described them anew. Always `Some`: a
    /// document can always be serialized, but the types do not show that.
    pub(crate) fn openrpc_text(
        &self,
        reader: Reader,
        specification: Specification,
    ) -> Option<Arc<RawValue>> {
        let of_reader = match (reader.access(), reader.is_anonymous()) {
            (Access::Public, false) => 0,
            (Access::Local, false) => 1,
            (Access::Admin, _) => 2,
            (Access::Public, true) => 3,
            (Access::Local, true) => 4,
        };
        let at = match specification {
            Specification::V1_3 => of_reader,
            Specification::V1_4 => of_reader + 5,
        };
        let number = self.described();
        let mut cached = self
            .cache()
            .get(at)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((of, text)) = &*cached
            && *of == number
        {
            return Some(Arc::clone(text));
        }
        let document = OpenRpc::of(self)
            .access(reader)
            .specification(specification);
        let text: Arc<RawValue> = to_raw_value(&document.document().0).ok()?.into();
        *cached = Some((number, Arc::clone(&text)));
        Some(text)
    }
}
