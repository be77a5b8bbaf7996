"""Writes a document that wants to be code: every text of it tries to leave the place where
generated files have it, and every name is taken, reserved, or none."""

import json

NAMES = r"""
"); canary(); ("|'); canary(); ('|*/ canary(); /*|${canary()}|`+canary()+`|#{canary()}|r#"
a\u000acanary()|</script>|{|}|{0}|%s|'|"|\"|\'|\|__proto__|constructor|__class__|__init__|self|Self
crate|super|class|None|True|Option|String|Vec|Box|Value|Params|Call|Client|Error|_|__|1|-1|1st
type|fn|async|await|import|then|toString|prototype|params|core|args|client|new|connect|json|asyncio
int|str|list|bool|property|Promise|Map|Array|undefined|null|a b|a-b|a.b|...|subscribe|with|calls
batch|send|notify|Arguments|UNSET|error_code|take|extra|Result|IntoFuture|a b c d e f g h i j k l m n
"""
NAMES = [name for line in NAMES.strip().split("\n") for name in line.split("|")]
NAMES += ['"""\ncanary()\n"""', "\ncanary()\n", "\u2028canary()", "\u202ecanary", "\0", "😀", "  ", "x" * 70]
DOC = """Says */ canary(); /* and \""" canary() \""" and \\
```
compile_error!();
```

    compile_error!();

- x

      compile_error!();

<pre>
```rust
compile_error!();
~~~
</pre>

> ```
> compile_error!();

1.     compile_error!();

<!-- ${canary()} {@link canary} \\u000a canary() \\"""


def ref(name):
    name = name.replace("~", "~0").replace("/", "~1")
    return {"$ref": f"#/components/schemas/{name}"}


def obj(**members):
    return {"type": "object", "description": DOC, **members}


def tuple_of(count):
    items = [{"type": "string"}] * count
    return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}


TAG = "*/ \"'\\\n${x}"
schemas = {
    name: obj(properties={"x": ref(name), "const": {"const": name}}) for name in NAMES
}
schemas["hostile"] = obj(
    title="*/",
    properties={name: {"type": "string", "description": DOC} for name in NAMES},
    required=NAMES[:30],
    additionalProperties={"type": "integer", "description": DOC},
)
schemas["texts"] = {"enum": NAMES, "description": DOC}
schemas["documented"] = {"oneOf": [{"const": name, "description": DOC} for name in NAMES]}
schemas["tagged"] = {
    "oneOf": [
        obj(
            properties={TAG: {"const": name}, f"{name}1": {"type": "integer"}},
            required=[TAG, f"{name}1"],
        )
        for name in NAMES
    ]
}
schemas["adjacent"] = {
    "oneOf": [
        obj(
            properties={'t"': {"const": name}, "c'\\": ref("adjacent")},
            required=['t"', "c'\\"],
        )
        for name in NAMES
    ]
}
schemas["external"] = {
    "oneOf": [
        obj(
            properties={name: ref("external")}, required=[name], additionalProperties=False
        )
        for name in NAMES
    ]
    + [{"enum": [f"{name}!" for name in NAMES]}]
}
schemas["untagged"] = {
    "anyOf": [
        {"type": "string"},
        {"const": "'\"\\"},
        ref("hostile"),
        {"type": "null"},
        {"type": "array", "items": ref("untagged")},
    ]
}
schemas["flat"] = {
    "allOf": [
        ref("flat"),
        {"properties": {"p": {"allOf": [ref("flat"), {"type": "object"}]}}},
    ]
}
schemas["itself"] = ref("itself")
schemas["knot"] = {"type": "array", "items": {"anyOf": [ref("knot2"), {"type": "null"}]}}
schemas["knot2"] = {"type": "object", "additionalProperties": ref("knot")}
schemas["loop"] = {"anyOf": [ref("loop2"), {"type": "null"}]}
schemas["loop2"] = tuple_of(1) | {"prefixItems": [ref("loop")]}
schemas["long"] = tuple_of(20)
schemas["short"] = tuple_of(1)
schemas["strange"] = {"patternProperties": {".*": {}}, "if": {}, "type": "what"}
schemas["types"] = {"type": ["string", "integer", "object", "array", "null"]}
deep = {"type": "string"}
for _ in range(20):
    deep = {"type": "array", "items": obj(properties={"deep": deep})}
schemas["deep"] = deep
schemas["x0"] = obj(properties={"y": {"type": "string"}})
for n in range(1, 8):
    # Twice as much in each as in the one before.
    part = {"allOf": [ref(f"x{n - 1}"), {"type": "object"}]}
    schemas[f"x{n}"] = {"allOf": [ref(f"x{n - 1}"), obj(properties={f"p{n}": part})]}

params = [
    {"name": name, "required": n < 3, "schema": {"type": "string"}, "description": DOC}
    for n, name in enumerate(NAMES)
]
methods = []
for n, name in enumerate(NAMES):
    structure = ["either", "by-name", "by-position"][n % 3]
    methods += [
        {
            "name": name,
            "summary": DOC,
            "description": DOC,
            "params": params[: len(params) if n % 40 == 0 else 2 + n % 4],
            "paramStructure": structure,
            "result": {"name": name, "description": DOC, "schema": ref("hostile")},
            "deprecated": n % 4 == 0,
            "x-additional-params": {"const": name} if n % 5 == 0 else False,
            "x-error-docs": {str(1000 + n): DOC, str(5000 + n): DOC},
            "errors": [
                {"code": 1000 + n, "message": name},
                {"code": 5000 + n, "message": DOC},
            ],
        },
        {
            "name": f"{name}.{name}",
            "params": [{"name": "x", "schema": {"const": name}}],
            "result": {"name": "r", "schema": {"enum": [name, f"{name}2"]}},
        },
        {
            "name": f"{name}.s",
            "params": [],
            "result": {"name": "r", "schema": {"type": "string"}},
            "x-subscription": {
                "unsubscribe": name,
                "item": {"name": name, "schema": {"const": name}},
            },
        },
    ]
info = {"title": 'Hostile */ """ canary() "', "version": '1\n*/ canary()\n"""'}
document = {
    "openrpc": "1.3.2",
    "info": info | {"description": DOC},
    "methods": methods,
    "components": {"schemas": schemas},
}
print(json.dumps(document))
