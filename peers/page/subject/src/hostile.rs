//! Hostile methods: names, docs and results that would run as script if a page wrote them into its
//! markup unescaped, and names with a meaning in JavaScript.

use antiphon::{Method, ParamInfo, Router};

const SCRIPT: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";

const DOC: &str = "<img src=x onerror=alert(3)> and </script><script>alert(4)</script>\n\n\
    [a link](javascript:alert(5)) ![an image](http://127.0.0.1:9/x.png)\n\n\
    - <b onmouseover=alert(6)>bold</b>\n\n\
    ```\n</pre><script>alert(7)</script>\n```\n\n\
    `<svg onload=alert(8)>` {{7*7}} ${alert(9)} \u{202e}backwards";

pub(crate) fn router() -> Router {
    let names = [
        "<img src=x onerror=alert(10)>",
        "__proto__",
        "constructor",
        "toString",
        "</script><script>alert(11)</script>",
        "a\"b'c`d\\e&f",
        "%3Cimg%3E",
        "~tilde",
        "\u{202e}elif eteled",
    ];
    let mut router = Router::new().documentation(SCRIPT).method(
        Method::function("script", || SCRIPT)
            .doc(DOC)
            .returns::<String>(),
    );
    for name in names {
        let method = Method::function(name, |__proto__: Option<String>| {
            __proto__.unwrap_or_else(|| SCRIPT.to_owned())
        });
        let param = ParamInfo::optional("__proto__").typed::<String>();
        router = router.method(method.doc(DOC).params([param]).returns::<String>());
    }
    // The limit of a method name is 256 bytes.
    let long = "very_long_".repeat(24);
    router.method(Method::function(&*long, || "long").doc("long ".repeat(2000)))
}
