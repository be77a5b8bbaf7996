//! Small documents, each with a trait of documents that others wrote.

// `json!` only looks at what it is given, and a table reads better without `&`.
#![allow(clippy::needless_pass_by_value)]

use serde_json::{Value, json};

/// A document with the type `Sample`.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The first one is the document.
    pub(crate) files: Vec<(&'static str, Value)>,
    pub(crate) options: &'static [&'static str],
    /// Values that come back unchanged.
    pub(crate) samples: Vec<Value>,
    /// Values that are none of the type, in any language.
    pub(crate) wrong: Vec<Value>,
    /// Whether the type allows any value.
    pub(crate) is_wide: bool,
    /// What the Rust client has in it.
    pub(crate) said: &'static str,
}

impl Row {
    fn of(name: &'static str, schema: Value) -> Self {
        Self::with(name, json!({"Sample": schema}))
    }

    fn with(name: &'static str, schemas: Value) -> Self {
        Self::files(name, vec![("first.json", document("1.3.2", schemas))])
    }

    fn files(name: &'static str, files: Vec<(&'static str, Value)>) -> Self {
        Self {
            name,
            files,
            options: &[],
            samples: Vec::new(),
            wrong: Vec::new(),
            is_wide: false,
            said: "",
        }
    }

    fn reads(mut self, samples: impl IntoIterator<Item = Value>) -> Self {
        self.samples.extend(samples);
        self
    }

    fn refuses(mut self, wrong: impl IntoIterator<Item = Value>) -> Self {
        self.wrong.extend(wrong);
        self
    }

    fn says(mut self, said: &'static str) -> Self {
        self.said = said;
        self
    }
}

fn document(version: &str, schemas: Value) -> Value {
    let content = |name: &str| json!({"name": name, "required": true, "schema": to("#/components/schemas/Sample")});
    json!({
        "openrpc": version,
        "info": {"title": "Test", "version": "1"},
        "methods": [{
            "name": "change",
            "params": [content("sample")],
            "result": content("changed"),
            "errors": [{"code": 1, "message": "It is fixed"}],
        }],
        "components": {"schemas": schemas},
    })
}

fn to(reference: &str) -> Value {
    json!({"$ref": reference})
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn string() -> Value {
    json!({"type": "string"})
}

pub(crate) fn rows() -> Vec<Row> {
    [versions(), files(), all_of(), others(), names()]
        .into_iter()
        .flatten()
        .collect()
}

fn versions() -> Vec<Row> {
    let table = [
        ("v1_0_0_rc1", "1.0.0-rc1"),
        ("v1_0_0", "1.0.0"),
        ("v1_1", "1.1"),
        ("v1_2_6", "1.2.6"),
        ("v1_3", "1.3"),
        ("v1_4", "1.4"),
    ];
    let rows = table.into_iter().map(|(name, version)| {
        let mut document = document(
            version,
            json!({"Sample": object(json!({"a": string()}), &["a"])}),
        );
        document["methods"][0]["tags"] = json!(["words"]);
        let row = Row::files(name, vec![("first.json", document)]);
        row.reads([json!({"a": "x"})]).refuses([json!({"a": 1})])
    });
    rows.collect()
}

fn files() -> Vec<Row> {
    let first = |reference: &str| {
        (
            "first.json",
            document("1.3.2", json!({"Sample": to(reference)})),
        )
    };
    let definition = object(json!({"a": string()}), &["a"]);
    let plain = |name, path, reference: &str| {
        let row = Row::files(
            name,
            vec![first(reference), (path, json!({"X": definition}))],
        );
        row.reads([json!({"a": "x"})]).refuses([json!({"a": 1})])
    };
    let circle = Row::files(
        "file_circle",
        vec![
            first("a.json#/A"),
            (
                "a.json",
                json!({"A": object(json!({"b": to("b.json#/B")}), &["b"])}),
            ),
            (
                "b.json",
                json!({"B": {"type": "array", "items": to("./a.json#/A")}}),
            ),
        ],
    );
    let mut above = plain("file_above", "../above.json", "../above.json#/X");
    above.options = &["--allow-outside"];
    let mut url = Row::files("file_url", vec![first("https://example.org/x.json#/X")]);
    url.is_wide = true;
    vec![
        plain("file_beside", "other.json", "other.json#/X"),
        plain("file_below", "in/it/other.json", "./in/it/other.json#/X"),
        circle
            .reads([json!({"b": [{"b": []}]})])
            .refuses([json!({"b": [1]})]),
        above,
        url.reads([json!({"a": [null]}), json!(1)]),
    ]
}

fn all_of() -> Vec<Row> {
    let (base, own) = (
        object(json!({"a": string(), "b": {"type": "integer"}}), &["a"]),
        object(json!({"c": {"type": "boolean"}}), &["c"]),
    );
    let variants = json!([
        object(json!({"x": string()}), &["x"]),
        object(json!({"y": {"type": "integer"}, "z": string()}), &["y"]),
    ]);
    let tagged = json!([
        object(
            json!({"type": {"const": "one"}, "x": string()}),
            &["type", "x"]
        ),
        object(json!({"type": {"const": "two"}, "y": string()}), &["type"]),
    ]);
    let chosen = [
        json!({"a": "a", "x": "x"}),
        json!({"a": "a", "b": 1, "y": 2, "z": "z"}),
    ];
    let strange = [
        json!({"a": "a"}),
        json!({"x": "x"}),
        json!({"a": "a", "x": 1}),
    ];
    vec![
        Row::with(
            "all_of_objects",
            json!({"Base": base, "Sample": {"allOf": [to("#/components/schemas/Base"), own]}}),
        )
        .reads([
            json!({"a": "a", "c": true}),
            json!({"a": "a", "b": 1, "c": false}),
        ])
        .refuses([json!({"a": "a"}), json!({"c": true})]),
        Row::of(
            "all_of_choice",
            json!({"allOf": [base, {"oneOf": variants}]}),
        )
        .reads(chosen.clone())
        .refuses(strange.clone())
        .says("#[serde(flatten)]\n    pub kind: SampleKind,"),
        Row::of("properties_and_choice", {
            let mut schema = base.clone();
            schema["oneOf"] = variants.clone();
            schema
        })
        .reads(chosen.clone())
        .refuses(strange.clone())
        .says("pub kind: SampleKind,"),
        Row::with(
            "all_of_named_choice",
            json!({
                "Sample": {"allOf": [base, to("#/components/schemas/Choice")]},
                "Choice": {"oneOf": variants},
            }),
        )
        .reads(chosen)
        .refuses(strange)
        .says("#[serde(flatten)]\n    pub choice: Choice,"),
        Row::of(
            "all_of_tagged",
            json!({"allOf": [base, {"title": "form", "oneOf": tagged}]}),
        )
        .reads([
            json!({"a": "a", "type": "one", "x": "x"}),
            json!({"a": "a", "type": "two"}),
        ])
        .refuses([
            json!({"a": "a", "type": "three"}),
            json!({"a": "a", "type": "one"}),
        ])
        .says("#[serde(tag = \"type\")]"),
        Row::of(
            // The members of both: in the first variant it is narrower.
            "all_of_overlap",
            json!({"allOf": [
                object(json!({"type": string(), "a": string()}), &["type", "a"]),
                {"oneOf": tagged},
            ]}),
        )
        .reads([
            json!({"a": "a", "type": "one", "x": "x"}),
            json!({"a": "a", "type": "two"}),
        ])
        .refuses([json!({"a": "a", "type": "one"}), json!({"a": "a"})]),
        Row::of(
            "all_of_some_overlap",
            json!({"allOf": [
                object(json!({"a": string(), "x": string()}), &["a", "x"]),
                {"oneOf": variants},
            ]}),
        )
        .reads([json!({"a": "a", "x": "x", "y": 2})])
        .refuses([json!({"a": "a", "y": 2}), json!({"x": "x"})]),
        Row::of(
            "all_of_nested",
            json!({"allOf": [base, {"oneOf": [
                {"allOf": [own, {"oneOf": variants}]},
                object(json!({"n": {"type": "null"}}), &["n"]),
            ]}]}),
        )
        .reads([
            json!({"a": "a", "c": true, "x": "x"}),
            json!({"a": "a", "c": true, "y": 1}),
            json!({"a": "a", "n": null}),
        ])
        .refuses([json!({"a": "a", "c": true})]),
        Row::of(
            "all_of_two_choices",
            json!({"allOf": [base, {"oneOf": variants}, {"anyOf": [
                own,
                object(json!({"d": string()}), &["d"]),
            ]}]}),
        )
        .reads([
            json!({"a": "a", "x": "x", "d": "d"}),
            json!({"a": "a", "y": 1, "c": true}),
        ])
        .refuses([json!({"a": "a", "x": "x"})]),
        Row::of(
            // Not all of it can be an object.
            "all_of_mixed",
            json!({"allOf": [base, {"oneOf": [string(), own, {"type": "null"}]}]}),
        )
        .reads([json!({"a": "a", "c": true})])
        .refuses([json!("a"), json!({"a": "a"})]),
        Row::of(
            "all_of_constants",
            json!({"allOf": [string(), {"enum": ["a", "b"]}]}),
        )
        .reads([json!("a")])
        .refuses([json!("c")]),
        Row::of(
            "all_of_limits",
            json!({"allOf": [{"type": "integer"}, {"not": {"const": 0}}]}),
        )
        .reads([json!(1)])
        .refuses([json!("a")]),
        Row::of(
            "any_of_required",
            json!({
                "type": "object",
                "properties": {"a": string(), "b": string()},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            }),
        )
        .reads([json!({"a": "a"}), json!({"a": "a", "b": "b"})])
        .refuses([json!({"a": 1})])
        .says("pub struct Sample {"),
    ]
}

fn others() -> Vec<Row> {
    let member = |schema: Value| object(json!({"a": schema}), &["a"]);
    let nullable = |name, schema| {
        let row = Row::of(name, member(schema));
        row.reads([json!({"a": "x"}), json!({"a": null})])
            .refuses([json!({"a": 1})])
    };
    let tree = json!({
        "Sample": object(json!({
            "left": to("#/components/schemas/Sample"),
            "all": {"type": "array", "items": to("#/components/schemas/Sample")},
        }), &["all"]),
    });
    let chain = json!({
        "Sample": {"oneOf": [string(), to("#/components/schemas/List")]},
        "List": {"type": "array", "items": to("#/components/schemas/Sample")},
    });
    let choices = json!({
        "Sample": {"allOf": [
            object(json!({"a": string()}), &["a"]),
            {"oneOf": [
                object(json!({"more": to("#/components/schemas/Sample")}), &["more"]),
                object(json!({"end": {"type": "boolean"}}), &["end"]),
            ]},
        ]},
    });
    let mut nothing = Row::of("nothing", json!({"title": "Anything"}));
    nothing.is_wide = true;
    vec![
        nullable("nullable_flag", json!({"type": "string", "nullable": true})),
        nullable("nullable_types", json!({"type": ["string", "null"]})),
        nullable("nullable_choice", json!({"oneOf": [string(), {"type": "null"}]})),
        Row::of(
            "nullable_all_of",
            member(json!({"nullable": true, "allOf": [member(string()), {"properties": {"b": string()}}]})),
        )
        .reads([json!({"a": {"a": "x"}}), json!({"a": null})])
        .refuses([json!({"a": 1})]),
        Row::with("recursive", tree)
            .reads([json!({"all": [{"all": []}], "left": {"all": []}})])
            .refuses([json!({"all": [1]})]),
        Row::with("recursive_list", chain)
            .reads([json!("a"), json!(["a", ["b", []]])])
            .refuses([json!(1)]),
        Row::with("recursive_choice", choices)
            .reads([json!({"a": "a", "more": {"a": "b", "end": true}})])
            .refuses([json!({"a": "a"})]),
        Row::of(
            "wide_integers",
            member(json!({"type": "integer", "format": "int64"})),
        )
        .reads([json!({"a": 9_007_199_254_740_993_i64}), json!({"a": i64::MIN})])
        .refuses([json!({"a": "1"})]),
        Row::of(
            "patterns",
            json!({"type": "object", "patternProperties": {"^x": string()}, "additionalProperties": false}),
        )
        .reads([json!({"x1": "a"})])
        .refuses([json!({"x1": 1})]),
        Row::of(
            // As a parameter has it.
            "schema_in_schema",
            json!({"title": "Sample", "schema": member(string())}),
        )
        .reads([json!({"a": "x"})])
        .refuses([json!({"a": 1})]),
        nothing.reads([json!(null), json!([1])]),
    ]
}

fn names() -> Vec<Row> {
    let words = [
        "type",
        "self",
        "Self",
        "class",
        "fn",
        "async",
        "None",
        "a-b",
        "a_b",
        "a b",
        "aB",
        "",
        "1",
        "ä",
        "constructor",
        "__proto__",
        "extra",
        "kind",
        "List",
        "Optional",
        "default",
    ];
    let properties = words.iter().map(|&word| (word.to_owned(), string()));
    let sample: Value = words
        .iter()
        .map(|&word| (word.to_owned(), json!("x")))
        .collect();
    let mut object = object(properties.collect(), &words);
    object["oneOf"] = json!([
        {"type": "object", "properties": {"crate": string()}, "required": ["crate"]},
        {"type": "object", "properties": {"import": string()}, "required": ["import"]},
    ]);
    let mut schemas = json!({"Sample": object});
    for name in [
        "Option",
        "Vec",
        "String",
        "Value",
        "None",
        "Any",
        "Error",
        "Promise",
        "thing",
        "Thing",
        "THING",
        "Sample kind",
        "SampleCrate",
        "Sample import",
        "Call",
        "Client",
        "Box",
        "1",
        "ä",
    ] {
        schemas[name] = json!({"type": "object", "properties": {name: {"$ref": "#/components/schemas/Sample"}}});
    }
    let mut document = document("1.3.2", schemas);
    let method = |name: &str| {
        json!({
            "name": name,
            "params": words[..words.len() - 3].iter().map(|word| {
                json!({"name": word, "schema": {"$ref": "#/components/schemas/Option"}})
            }).collect::<Vec<_>>(),
            "result": {"name": "r", "schema": {"$ref": "#/components/schemas/Vec"}},
        })
    };
    let methods = document["methods"].as_array_mut().unwrap();
    let names = [
        "await",
        "delete",
        "import",
        "a.b",
        "a_b",
        "a",
        "new",
        "client",
        "batch",
        "send",
        "self.self",
        "then",
        "constructor",
        "change_named",
        "changeNamed",
        "1",
        "Ä",
    ];
    methods.extend(names.map(method));
    let mut full = sample.clone();
    full["crate"] = json!("x");
    let row = Row::files("names", vec![("first.json", document)]);
    vec![row.reads([full]).refuses([sample])]
}
