//! A server for agents that has all that the Model Context Protocol knows: tools with pictures and sounds,
//! progress and log messages, questions to the user and to the model, resources, prompts, completion.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example mcp --features mcp
//! $ npx @modelcontextprotocol/conformance server --url http://127.0.0.1:8060/mcp
//! ```
//!
//! The names are those that the official suite asks for. Any client of the protocol finds the server at
//! `http://127.0.0.1:8060/mcp`, in the versions 2026-07-28, 2025-11-25 and 2025-06-18. A method with a name of
//! the protocol answers its request (`resources/read`); all others are tools.

use std::process::ExitCode;
use std::time::Duration;

use antiphon::mcp::{
    Complete, Completion, Content, Elicited, GetPrompt, LogLevel, Prompt, Prompts, ReadResource,
    Resource, ResourceContents, ResourceTemplate, ResourceTemplates, Resources, ToolResult,
    no_such_resource,
};
use antiphon::{Context, ErrorObject, Router, Server, rpc};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

/// A red dot.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// No sound at all.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

/// What agents can do here.
struct Tools;

#[rpc]
impl Tools {
    /// Returns a text.
    #[method(name = "test_simple_text", read_only)]
    fn simple_text(&self) -> ToolResult {
        ToolResult::text("This is a simple text response for testing.")
    }

    /// Returns a picture.
    #[method(name = "test_image_content", read_only)]
    fn image(&self) -> ToolResult {
        ToolResult::new([Content::image(PNG, "image/png")])
    }

    /// Returns a sound.
    #[method(name = "test_audio_content", read_only)]
    fn audio(&self) -> ToolResult {
        ToolResult::new([Content::audio(WAV, "audio/wav")])
    }

    /// Returns the content of a resource.
    #[method(name = "test_embedded_resource", read_only)]
    fn embedded(&self) -> ToolResult {
        let text = "This is an embedded resource content.";
        let resource = ResourceContents::text("test://embedded-resource", text);
        ToolResult::new([Content::resource(resource.mime_type("text/plain"))])
    }

    /// Returns a text, a picture and a resource.
    #[method(name = "test_multiple_content_types", read_only)]
    fn mixed(&self) -> ToolResult {
        let text = json!({"test": "data", "value": 123}).to_string();
        let resource = ResourceContents::text("test://mixed-content-resource", text);
        ToolResult::new([
            Content::text("Multiple content types test:"),
            Content::image(PNG, "image/png"),
            Content::resource(resource.mime_type("application/json")),
        ])
    }

    /// Tells in log messages how it goes.
    #[method(name = "test_tool_with_logging")]
    async fn logging(&self, ctx: &Context) -> ToolResult {
        for text in ["started", "processing data", "completed"] {
            let text = format!("Tool execution {text}");
            ctx.log(LogLevel::Info, "example", &text).await;
            sleep(Duration::from_millis(50)).await;
        }
        ToolResult::text("Three messages were sent.")
    }

    /// Reports its progress.
    #[method(name = "test_tool_with_progress")]
    async fn progress(&self, ctx: &Context) -> ToolResult {
        for done in [0, 50, 100] {
            ctx.progress(&json!({"progress": done, "total": 100})).await;
            sleep(Duration::from_millis(50)).await;
        }
        ToolResult::text("All is done.")
    }

    /// Fails always.
    #[method(name = "test_error_handling")]
    fn failure(&self) -> Result<String, ErrorObject> {
        let text = "This tool intentionally returns an error for testing";
        Err(ErrorObject::new(1, text))
    }

    /// Has the model of the client answer.
    #[method(name = "test_sampling")]
    async fn sampling(&self, ctx: &Context, prompt: String) -> Result<ToolResult, ErrorObject> {
        let content = json!({"type": "text", "text": prompt});
        let messages = [json!({"role": "user", "content": content})];
        let params = json!({"messages": messages, "maxTokens": 100});
        let said = ctx.sample("answer", &params).await?;
        let text = said["content"]["text"].as_str().unwrap_or_default();
        Ok(ToolResult::text(format!("LLM response: {text}")))
    }

    /// Asks the user of the client.
    #[method(name = "test_elicitation")]
    async fn elicitation(&self, ctx: &Context, message: String) -> Result<ToolResult, ErrorObject> {
        let schema = json!({
            "type": "object",
            "properties": {
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            },
            "required": ["username", "email"],
        });
        let said = ctx.elicit("user", &message, &schema).await?;
        Ok(ToolResult::text(format!("User response: {}", told(&said))))
    }

    /// Asks the user with answers that are filled in.
    #[method(name = "test_elicitation_sep1034_defaults")]
    async fn defaults(&self, ctx: &Context) -> Result<ToolResult, ErrorObject> {
        let states = ["active", "inactive", "pending"];
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": states, "default": "active"},
                "verified": {"type": "boolean", "default": true},
            },
        });
        let said = ctx.elicit("person", "Is this you?", &schema).await?;
        Ok(ToolResult::text(format!(
            "Elicitation completed: {}",
            told(&said)
        )))
    }

    /// Asks the user to choose, one and several.
    #[method(name = "test_elicitation_sep1330_enums")]
    async fn choices(&self, ctx: &Context) -> Result<ToolResult, ErrorObject> {
        let plain = ["option1", "option2", "option3"];
        let titled = |what: &str| {
            let one = |(value, title): (&str, &str)| json!({"const": value, "title": format!("{title} {what}")});
            [
                ("value1", "First"),
                ("value2", "Second"),
                ("value3", "Third"),
            ]
            .map(one)
        };
        let schema = json!({
            "type": "object",
            "properties": {
                "untitledSingle": {"type": "string", "enum": plain},
                "titledSingle": {"type": "string", "oneOf": titled("Option")},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
            },
        });
        let said = ctx.elicit("choice", "What will it be?", &schema).await?;
        Ok(ToolResult::text(format!(
            "Elicitation completed: {}",
            told(&said)
        )))
    }
}

/// What a user has said, as a text.
fn told(said: &Elicited) -> String {
    let content = said.content.clone().map_or(Value::Null, Value::Object);
    format!("action={}, content={content}", said.action)
}

/// What agents can read here, and what they can be told to do.
struct Library;

#[rpc]
impl Library {
    /// What there is to read.
    #[method(name = "resources/list")]
    fn resources(&self) -> Resources {
        let text = Resource::new("test://static-text", "Static text");
        let binary = Resource::new("test://static-binary", "Static picture");
        let watched = Resource::new("test://watched-resource", "Watched resource");
        Resources {
            resources: vec![
                text.description("A text").mime_type("text/plain"),
                binary.description("A red dot").mime_type("image/png"),
                watched
                    .description("A text that changes")
                    .mime_type("text/plain"),
            ],
            next_cursor: None,
        }
    }

    /// Addresses with gaps.
    #[method(name = "resources/templates/list")]
    fn templates(&self) -> ResourceTemplates {
        let template = ResourceTemplate {
            uri_template: "test://template/{id}/data".to_owned(),
            name: "Data by id".to_owned(),
            description: Some("What there is under an id".to_owned()),
            mime_type: Some("application/json".to_owned()),
            ..ResourceTemplate::default()
        };
        ResourceTemplates {
            resource_templates: vec![template],
            next_cursor: None,
        }
    }

    /// The content of a resource.
    #[method(name = "resources/read")]
    fn read(&self, uri: String) -> Result<ReadResource, ErrorObject> {
        let id = uri.strip_prefix("test://template/");
        let contents = match (uri.as_str(), id.and_then(|rest| rest.strip_suffix("/data"))) {
            (_, Some(id)) => {
                let data =
                    json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                ResourceContents::text(&uri, data.to_string()).mime_type("application/json")
            }
            ("test://static-text", None) => {
                let text = "This is the content of the static text resource.";
                ResourceContents::text(&uri, text).mime_type("text/plain")
            }
            ("test://static-binary", None) => {
                ResourceContents::blob(&uri, PNG).mime_type("image/png")
            }
            ("test://watched-resource", None) => {
                ResourceContents::text(&uri, "Nothing new.").mime_type("text/plain")
            }
            _ => return Err(no_such_resource(&uri)),
        };
        Ok(ReadResource::new(contents))
    }

    /// Over HTTP nothing can be sent to a client of before 2026-07-28 later, so there is nothing to note.
    #[method(name = "resources/subscribe")]
    fn subscribe(&self, uri: String) -> Result<(), ErrorObject> {
        self.read(uri).map(drop)
    }

    /// As if it had been noted.
    #[method(name = "resources/unsubscribe")]
    fn unsubscribe(&self, uri: String) -> Result<(), ErrorObject> {
        self.read(uri).map(drop)
    }

    /// What agents can be told to do.
    #[method(name = "prompts/list")]
    fn prompts(&self) -> Prompts {
        let with_arguments = Prompt::new("test_prompt_with_arguments")
            .description("A prompt with two arguments")
            .argument("arg1", "First test argument")
            .argument("arg2", "Second test argument");
        let with_resource = Prompt::new("test_prompt_with_embedded_resource")
            .description("A prompt with a resource")
            .argument("resourceUri", "URI of the resource to embed");
        Prompts {
            prompts: vec![
                Prompt::new("test_simple_prompt").description("A prompt that is a text"),
                with_arguments,
                with_resource,
                Prompt::new("test_prompt_with_image").description("A prompt with a picture"),
            ],
            next_cursor: None,
        }
    }

    /// The text of a prompt.
    #[method(name = "prompts/get")]
    fn prompt(
        &self,
        name: String,
        #[arg(default)] arguments: Map<String, Value>,
    ) -> Result<GetPrompt, ErrorObject> {
        let argument = |name: &str| {
            let value = arguments.get(name).and_then(Value::as_str);
            value.ok_or_else(|| ErrorObject::invalid_params(format_args!("`{name}` is missing")))
        };
        Ok(match name.as_str() {
            "test_simple_prompt" => {
                GetPrompt::user(Content::text("This is a simple prompt for testing."))
            }
            "test_prompt_with_arguments" => {
                let (first, second) = (argument("arg1")?, argument("arg2")?);
                let text = format!("Prompt with arguments: arg1='{first}', arg2='{second}'");
                GetPrompt::user(Content::text(text))
            }
            "test_prompt_with_embedded_resource" => {
                let text = "Embedded resource content for testing.";
                let resource = ResourceContents::text(argument("resourceUri")?, text);
                GetPrompt::user(Content::resource(resource.mime_type("text/plain")))
                    .and_user(Content::text("Please process the embedded resource above."))
            }
            "test_prompt_with_image" => GetPrompt::user(Content::image(PNG, "image/png"))
                .and_user(Content::text("Please analyze the image above.")),
            name => {
                return Err(ErrorObject::invalid_params(format_args!(
                    "no prompt {name:?}"
                )));
            }
        })
    }

    /// Proposals for an argument.
    #[method(name = "completion/complete")]
    fn complete(&self, argument: Argument, #[arg(flatten)] rest: Map<String, Value>) -> Complete {
        drop(rest);
        let known = ["paris", "park", "party"].map(str::to_owned).into_iter();
        let fitting = known.filter(|value| value.starts_with(&argument.value));
        Complete {
            completion: Completion {
                values: fitting.collect(),
                ..Completion::default()
            },
        }
    }

    /// Clients of before 2026-07-28 say here what they want to hear. They get all of it.
    #[method(name = "logging/setLevel")]
    fn set_level(&self, level: LogLevel) {
        let _ = level;
    }
}

/// The argument that is to be completed.
#[derive(serde::Deserialize, antiphon::schemars::JsonSchema)]
struct Argument {
    value: String,
}

fn main() -> ExitCode {
    let router = Router::of(Library)
        .title("Everything")
        .version("1.0.0")
        .merge(Tools);
    Server::new(router).mcp("/mcp").start()
}
