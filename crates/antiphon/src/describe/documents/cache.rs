//! Cache of a router's documents.

use serde_json::value::{RawValue, to_raw_value};

use crate::describe::documents::builder::OpenRpc;
use crate::describe::documents::specification::Specification;
use crate::describe::{Access, Tree};

impl Tree {
    /// The OpenRPC document for a reader with this access, generated on first use. Always `Some`: a
    /// document can always be serialized, but the types do not show that.
    pub(crate) fn openrpc_text(
        &self,
        reader: Access,
        specification: Specification,
    ) -> Option<&RawValue> {
        let at = match (reader, specification) {
            (Access::Public, Specification::V1_3) => 0,
            (Access::Local, Specification::V1_3) => 1,
            (Access::Admin, Specification::V1_3) => 2,
            (Access::Public, Specification::V1_4) => 3,
            (Access::Local, Specification::V1_4) => 4,
            (Access::Admin, Specification::V1_4) => 5,
        };
        let make = || {
            let document = OpenRpc::of(self)
                .access(reader)
                .specification(specification);
            to_raw_value(&document.document().0).ok()
        };
        self.cache().get(at)?.get_or_init(make).as_deref()
    }
}
