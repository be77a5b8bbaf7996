//! Table of texts and whether they are valid JSON.
//!
//! The texts include every input of the accepted and rejected groups of Nicolas Seriot's
//! JSONTestSuite (MIT licence), and those it leaves to the implementation. Names, groups and
//! verdicts are those of this project: the grammar is that of RFC 8259, see the documentation of
//! the crate.

use std::borrow::Cow;

/// A text and the expected verdict.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) text: Cow<'static, [u8]>,
    pub(crate) verdict: Verdict,
}

/// The verdict of a parser on a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Valid JSON.
    Valid,
    /// Invalid syntax, or not UTF-8.
    Invalid,
    /// Valid JSON with a number or a string that a Rust type may be unable to represent. The parser
    /// of messages accepts it. Only the decoding of a parameter may fail.
    Range,
    /// Valid JSON that is nested deeper than this crate allows. It is refused like invalid JSON.
    TooDeep,
}

/// All cases. Names are unique, and so are texts.
pub(crate) fn cases() -> Vec<Case> {
    let tables = [
        (Verdict::Valid, VALID_STRUCTURE),
        (Verdict::Valid, VALID_NUMBERS),
        (Verdict::Valid, VALID_STRINGS),
        (Verdict::Valid, VALID_ESCAPES),
        (Verdict::Range, RANGE_NUMBERS),
        (Verdict::Range, RANGE_SURROGATES),
        (Verdict::Invalid, INVALID_ARRAYS),
        (Verdict::Invalid, INVALID_OBJECTS),
        (Verdict::Invalid, INVALID_NUMBERS),
        (Verdict::Invalid, INVALID_STRINGS),
        (Verdict::Invalid, INVALID_WORDS),
        (Verdict::Invalid, INVALID_UTF8),
    ];
    let written = tables.into_iter().flat_map(|(verdict, rows)| {
        rows.iter()
            .map(move |&(text, name)| (Cow::Borrowed(text), name, verdict))
    });
    let generated = generated()
        .into_iter()
        .map(|(text, name, verdict)| (Cow::Owned(text), name, verdict));
    let case = |(text, name, verdict)| Case {
        name,
        text,
        verdict,
    };
    written.chain(generated).map(case).collect()
}

/// Cases that are generated, because they are long.
#[rustfmt::skip]
fn generated() -> Vec<(Vec<u8>, &'static str, Verdict)> {
    let nested = |open: &str, core: &str, close: &str, depth| {
        [open.repeat(depth), core.to_owned(), close.repeat(depth)].concat().into_bytes()
    };
    vec![
        (nested("[", "", "]", 64),                       "64 nested arrays",                 Verdict::Valid),
        (nested("[", &"[],".repeat(300), "0]", 1),       "300 arrays side by side",          Verdict::Valid),
        (nested("[\"\\\"", &"[{".repeat(150), "\"]", 1), "300 brackets in a string",         Verdict::Valid),
        (nested("[", "", "]", 500),                      "500 nested arrays",                Verdict::TooDeep),
        (nested("[{\"\":", "0", "}]", 250),              "500 arrays and objects in turn",   Verdict::TooDeep),
        (nested("[", "", "]", 100_000),                  "100,000 nested arrays",            Verdict::TooDeep),
        (nested("[", "", "", 100_000),                   "100,000 arrays begun",             Verdict::Invalid),
        (nested("[{\"\":", "\n", "", 50_000),            "100,000 arrays and objects begun", Verdict::Invalid),
        (nested("", "", "]", 100_000),                   "100,000 arrays ended",             Verdict::Invalid),
    ]
}

/// A text and its name.
type Row = (&'static [u8], &'static str);

/// Literal names, arrays, objects, and white space.
#[rustfmt::skip]
const VALID_STRUCTURE: &[Row] = &[
    (b"null",                                      "the word null alone"),
    (b"true",                                      "the word true alone"),
    (b"false",                                     "the word false alone"),
    (b"42",                                        "a number alone"),
    (b"-0.1",                                      "a negative fraction alone"),
    (br#""asd""#,                                  "a string alone"),
    (br#""""#,                                     "the empty string alone"),
    (br#"" ""#,                                    "a string of one space"),
    (b"[]",                                        "empty array"),
    (b" [] ",                                      "empty array between spaces"),
    (b"[[]   ]",                                   "array in an array, then spaces"),
    (br#"[""]"#,                                   "array of an empty string"),
    (br#"["a"]"#,                                  "array of a string"),
    (b"[\"a\"]\n",                                 "line feed after the text"),
    (b"[1\n]",                                     "line feed before the bracket"),
    (b" [1]",                                      "space before the text"),
    (b"[2] ",                                      "space after the text"),
    (b"\t\r\n [\t\r\n 1\t\r\n ,\t\r\n 2\t\r\n ]\t\r\n ", "every kind of white space in every place"),
    (b"[null]",                                    "array of null"),
    (b"[true]",                                    "array of true"),
    (b"[false]",                                   "array of false"),
    (b"[1,null,null,null,2]",                      "nulls between numbers"),
    (br#"[null, 1, "1", {}]"#,                     "array of different kinds"),
    (b"{}",                                        "empty object"),
    (br#"{"":0}"#,                                 "empty member name"),
    (br#"{"a":[]}"#,                               "empty array in an object"),
    (br#"{"asd":"sdf"}"#,                          "object of one member"),
    (br#"{"asd":"sdf", "dfg":"fgh"}"#,             "object of two members"),
    (b"{\n\"a\": \"b\"\n}",                        "object over three lines"),
    (br#"{"a":"b","a":"c"}"#,                      "a name twice with two values"),
    (br#"{"a":"b","a":"b"}"#,                      "a name twice with one value"),
    (br#"{"foo\u0000bar": 42}"#,                   "zero escaped in a name"),
    (br#"{ "min": -1.0e+28, "max": 1.0e+28 }"#,    "large numbers in an object"),
    (br#"{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#, "long strings at two depths"),
    (br#"{"title":"\u041f\u043e\u043b\u0442\u043e\u0440\u0430 \u0417\u0435\u043c\u043b\u0435\u043a\u043e\u043f\u0430" }"#, "a Russian title, all escaped"),
];

/// Numbers that every decoder can represent.
#[rustfmt::skip]
const VALID_NUMBERS: &[Row] = &[
    (b"[123]",                                     "whole number"),
    (b"[-1]",                                      "minus one"),
    (b"[-123]",                                    "negative whole number"),
    (b"[-0]",                                      "negative zero"),
    (b"[ 4]",                                      "number after a space"),
    (b"[123.456789]",                              "fraction"),
    (b"[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]\n", "tiny negative fraction"),
    (b"[0e1]",                                     "zero with an exponent"),
    (b"[0e+1]",                                    "zero with a signed exponent"),
    (b"[20e1]",                                    "whole number with an exponent"),
    (b"[123e45]",                                  "large exponent"),
    (b"[123e65]",                                  "larger exponent"),
    (b"[1e+2]",                                    "positive exponent"),
    (b"[1e-2]",                                    "negative exponent"),
    (b"[1E22]",                                    "capital E"),
    (b"[1E+2]",                                    "capital E, positive exponent"),
    (b"[1E-2]",                                    "capital E, negative exponent"),
    (b"[123.456e78]",                              "fraction with an exponent"),
];

/// Strings without escapes.
#[rustfmt::skip]
const VALID_STRINGS: &[Row] = &[
    (br#"["asd"]"#,                                "letters"),
    (br#"[ "asd"]"#,                               "string after a space"),
    (br#"["asd "]"#,                               "space at the end of a string"),
    (br#"["a/*b*/c/*d//e"]"#,                      "what looks like comments, in a string"),
    (b"[\"\x7F\"]",                                "the delete character"),
    (b"[\"a\x7Fa\"]",                              "the delete character between letters"),
    (b"[\"\xCF\x80\"]",                            "two-byte character"),
    (b"[\"\xE2\x8D\x82\xE3\x88\xB4\xE2\x8D\x82\"]", "three-byte characters"),
    (b"[\"\xE2\x82\xAC\xF0\x9D\x84\x9E\"]",        "three- and four-byte character"),
    (b"[\"\xE2\x80\xA8\"]",                        "line separator U+2028"),
    (b"[\"\xE2\x80\xA9\"]",                        "paragraph separator U+2029"),
    (b"[\"\xEF\xBF\xBF\"]",                        "noncharacter U+FFFF"),
    (b"[\"\xF0\x9B\xBF\xBF\"]",                    "unassigned U+1BFFF"),
    (b"[\"\xF4\x8F\xBF\xBF\"]",                    "last code point U+10FFFF"),
];

/// Strings with escapes.
#[rustfmt::skip]
const VALID_ESCAPES: &[Row] = &[
    (br#"["\"\\\/\b\f\n\r\t"]"#,         "all short escapes"),
    (br#"["\""]"#,                       "escaped quotation mark"),
    (br#"["\u0022"]"#,                   "quotation mark by number"),
    (br#"["\u005C"]"#,                   "backslash by number"),
    (br#"["\\a"]"#,                      "escaped backslash, then a letter"),
    (br#"["\\n"]"#,                      "escaped backslash, then an n"),
    (br#"["\\u0000"]"#,                  "escaped backslash, then u0000"),
    (br#"["\u0000"]"#,                   "zero by number"),
    (br#"["\u0012"]"#,                   "control character by number"),
    (br#"["new\u000Aline"]"#,            "line feed by number"),
    (br#"["\u002c"]"#,                   "comma by number"),
    (br#"["\u0123"]"#,                   "two-byte character by number"),
    (br#"["\u0821"]"#,                   "three-byte character by number"),
    (br#"["\uA66D"]"#,                   "Cyrillic letter by number"),
    (br#"["new\u00A0line"]"#,            "no-break space by number"),
    (br#"["\u200B"]"#,                   "zero-width space by number"),
    (br#"["\u2064"]"#,                   "invisible plus by number"),
    (br#"["\uFDD0"]"#,                   "noncharacter U+FDD0 by number"),
    (br#"["\uFFFE"]"#,                   "noncharacter U+FFFE by number"),
    (br#"["\uFFFF"]"#,                   "noncharacter U+FFFF by number"),
    (br#"["\u0060\u012a\u12AB"]"#,       "numbers in small and capital digits"),
    (br#"["\u0061\u30af\u30EA\u30b9"]"#, "a letter and three kana by number"),
    (br#"["\uD801\udc37"]"#,             "surrogate pair in mixed digits"),
    (br#"["\uD834\uDd1e"]"#,             "surrogate pair of a clef"),
    (br#"["\ud83d\ude39\ud83d\udc8d"]"#, "two surrogate pairs"),
    (br#"["\uD83F\uDFFE"]"#,             "surrogate pair of U+1FFFE"),
    (br#"["\uDBFF\uDFFE"]"#,             "surrogate pair of U+10FFFE"),
    (br#"["\uDBFF\uDFFF"]"#,             "surrogate pair of the last code point"),
];

/// Numbers with more digits or larger exponents than an `f64` or an integer can represent.
#[rustfmt::skip]
const RANGE_NUMBERS: &[Row] = &[
    (b"[100000000000000000000]",                   "beyond 64 bits"),
    (b"[-123123123123123123123123123123]",         "negative, beyond 64 bits"),
    (b"[-237462374673276894279832749832423479823246327846]", "negative, beyond 128 bits"),
    (b"[-1e+9999]",                                "negative, exponent of four digits"),
    (b"[1.5e+9999]",                               "fraction, exponent of four digits"),
    (b"[123123e100000]",                           "exponent of six digits"),
    (b"[-123123e100000]",                          "negative, exponent of six digits"),
    (b"[123.456e-789]",                            "fraction that vanishes"),
    (b"[123e-10000000]",                           "whole number that vanishes"),
    (b"[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999969999999006]", "exponent of 127 digits"),
];

/// Escaped lone surrogates, which a `String` cannot contain.
#[rustfmt::skip]
const RANGE_SURROGATES: &[Row] = &[
    (br#"["\ud800"]"#,         "high half alone"),
    (br#"["\uDADA"]"#,         "another high half alone"),
    (br#"["\uDFAA"]"#,         "low half alone"),
    (br#"{"\uDFAA":0}"#,       "low half alone in a name"),
    (br#"["\ud800abc"]"#,      "high half before letters"),
    (br#"["\uDd1ea"]"#,        "low half before a letter"),
    (br#"["\uD800\n"]"#,       "high half before an escape"),
    (br#"["\uD800\uD800\n"]"#, "two high halves before an escape"),
    (br#"["\uD888\u1234"]"#,   "high half before another character"),
    (br#"["\uDd1e\uD834"]"#,   "the halves in the wrong order"),
];

/// Invalid arrays.
#[rustfmt::skip]
const INVALID_ARRAYS: &[Row] = &[
    (b"[",               "array begun"),
    (b"[1",              "array begun, with a number"),
    (b"[x",              "array begun, with a letter"),
    (br#"["""#,          "array begun, with an empty string"),
    (br#"["a""#,                  "array begun, with a string of one letter"),
    (br#"["x""#,         "array begun, with a string"),
    (b"[{}",             "array begun, with an object"),
    (b"[,",              "array begun, with a comma"),
    (b"[1,",             "array begun, comma last"),
    (b"[1,\n1\n,1",      "array begun, over three lines"),
    (b"[\"a\",\n4\n,1,", "array begun, over three lines, comma last"),
    (b"[*]",             "star for a value"),
    (b"[,]",             "only a comma"),
    (b"[,1]",            "comma first"),
    (b"[   , \"\"]",     "comma first, after spaces"),
    (b"[1,]",            "comma last"),
    (br#"["",]"#,        "comma last, after a string"),
    (b"[1,,]",           "two commas last"),
    (br#"["x",,]"#,      "two commas last, after a string"),
    (b"[1,,2]",          "two commas between values"),
    (b"[1 true]",        "values without a comma"),
    (b"[3[4]]",          "array after a number without a comma"),
    (b"[1:2]",           "colon for a comma"),
    (br#"["": 1]"#,      "member in an array"),
    (br#"["x", truth]"#, "word beyond a true beginning"),
    (b"[][]",            "two arrays"),
    (b"]",               "array ended, not begun"),
    (b"1]",              "array ended, not begun, after a number"),
    (b"[1]]",            "array ended twice"),
    (br#"["x"]]"#,       "array of a string ended twice"),
    (br#"[""],"#,        "comma after the array"),
    (b"[1]x",            "letter after the array"),
    (b"[\x0C]",          "form feed in an array"),
    (b"[\"\x0Ba\"\\f]",  "vertical tab in a string, escaped form feed after it"),
    (b"[\x00]",          "zero in an array"),
    (b"[\xE2\x81\xA0]",  "word joiner in an array"),
    (b"[\xC3\xA9]",      "accented letter without quotation marks"),
];

/// Invalid objects.
#[rustfmt::skip]
const INVALID_OBJECTS: &[Row] = &[
    (b"{",                                  "object begun"),
    (b"[{",                                 "object begun in an array"),
    (b"{,",                                 "object begun, with a comma"),
    (b"{[",                                 "object begun, with an array"),
    (b"{]",                                 "object ended by the other bracket"),
    (br#"{"a"#,                             "object begun, within a name"),
    (br#"{"a""#,                            "object begun, after a name"),
    (br#"{"a":"#,                           "object begun, after a colon"),
    (br#"{"":"#,                            "object begun, after an empty name and a colon"),
    (br#"{"a":"a"#,                         "object begun, within a value"),
    (br#"{"asd":"asd""#,                    "object begun, after a value"),
    (br#"{"x": true,"#,                     "object begun, after a comma"),
    (b"{'a'",                               "object begun, with an apostrophe"),
    (br#"{"a" b}"#,                         "letter for a colon"),
    (br#"{"a" "b"}"#,                       "no colon"),
    (br#"{"x", null}"#,                     "comma for a colon"),
    (br#"{"x"::"b"}"#,                      "two colons"),
    (br#"{:"b"}"#,                          "no name"),
    (b"{[: \"x\"}\n",                       "bracket for a name"),
    (b"{1:1}",                              "number for a name"),
    (b"{9999E9999:1}",                      "huge number for a name"),
    (b"{null:null,null:null}",              "null for a name"),
    (br#"{a: "b"}"#,                        "name without quotation marks"),
    (b"{key: 'value'}",                     "name bare, value in apostrophes"),
    (b"{'a':0}",                            "name in apostrophes"),
    (b"{\xF0\x9F\x87\xA8\xF0\x9F\x87\xAD}", "flag for a member"),
    (br#"{ "foo" : "bar", "a" }"#,          "name without a value"),
    (br#"{"a":"a" 123}"#,                   "number after a value"),
    (br#"{"id":0,}"#,                       "comma last in an object"),
    (br#"{"id":0,,,,,}"#,                   "five commas last"),
    (br#"{"a":"b",,"c":"d"}"#,              "two commas between members"),
    (br#"{"a":/*comment*/"b"}"#,            "comment before a value"),
    (br#"{"a":"b"}/**/"#,                   "comment after the object"),
    (br#"{"a":"b"}/**//"#,                  "comment and a slash after the object"),
    (br#"{"a":"b"}//"#,                     "line comment after the object"),
    (br#"{"a":"b"}/"#,                      "slash after the object"),
    (b"{}}",                                "object ended twice"),
    (br#"{"a": true} "x""#,                 "string after the object"),
    (br##"{"a":"b"}#"##,                    "hash after the object"),
    (br##"{"a":"b"}#{}"##,                  "hash and another object after the object"),
];

/// Invalid numbers.
#[rustfmt::skip]
const INVALID_NUMBERS: &[Row] = &[
    (b"[-]",                       "minus alone"),
    (b"[- 1]",                     "space after the minus"),
    (b"[+1]",                      "plus sign"),
    (b"[++1234]",                  "two plus signs"),
    (b"[-foo]",                    "letters after the minus"),
    (b"[-1x]",                     "letter after a number"),
    (b"[-123.123foo]",             "letters after a fraction"),
    (b"[012]",                     "leading zero"),
    (b"[-01]",                     "leading zero after the minus"),
    (b"[-012]",                    "leading zero and two digits after the minus"),
    (b"123\x00",                   "zero byte after a number"),
    (b"2@",                        "sign after a number"),
    (b"[1+2]",                     "sum"),
    (b"[1 000.0]",                 "space between digits"),
    (b"[0x1]",                     "hexadecimal digit"),
    (b"[0x42]",                    "hexadecimal digits"),
    (b"[\xEF\xBC\x91]",            "full-width digit"),
    (b"[1.]",                      "nothing after the point"),
    (b"[-2.]",                     "nothing after the point of a negative number"),
    (b"[.123]",                    "nothing before the point"),
    (b"[-.123]",                   "nothing between minus and point"),
    (b"[.-1]",                     "minus after the point"),
    (b"[.2e-3]",                   "nothing before the point, exponent"),
    (b"[0.1.2]",                   "two points"),
    (b"[-1.0.]",                   "second point last"),
    (b"[0.e1]",                    "exponent right after the point"),
    (b"[2.e3]",                    "exponent right after the point of two"),
    (b"[2.e+3]",                   "positive exponent right after the point"),
    (b"[2.e-3]",                   "negative exponent right after the point"),
    (b"[9.e+]",                    "empty positive exponent right after the point"),
    (b"[0e]",                      "empty exponent"),
    (b"[0E]",                      "empty exponent, capital E"),
    (b"[0e+]",                     "only a plus in the exponent"),
    (b"[0E+]",                     "only a plus in the exponent, capital E"),
    (b"[0.3e]",                    "empty exponent of a small fraction"),
    (b"[0.3e+]",                   "only a plus in the exponent of a small fraction"),
    (b"[1.0e]",                    "empty exponent of a fraction"),
    (b"[1.0e+]",                   "only a plus in the exponent of a fraction"),
    (b"[1.0e-]",                   "only a minus in the exponent of a fraction"),
    (b"[0e+-1]",                   "two signs in the exponent"),
    (b"[1eE2]",                    "two exponent letters"),
    (b"[1ea]",                     "letter in the exponent"),
    (b"[1.2a-3]",                  "letter for an exponent letter"),
    (b"[1.8011670033376514H-308]", "capital letter for an exponent letter"),
];

/// Invalid strings.
#[rustfmt::skip]
const INVALID_STRINGS: &[Row] = &[
    (br#"""#,                     "quotation mark alone"),
    (br#"["a"#,                   "string begun in an array"),
    (br#"["asd]"#,                "string begun, bracket within"),
    (br#"["\"#,                   "string begun, backslash last"),
    (br#"["\{["\{["\{["\{"#,      "string begun, with needless escapes"),
    (br#""\UA66D""#,              "capital U for an escape"),
    (br#"["\a"]"#,                "letter that is no escape"),
    (br#"["\x00"]"#,              "x for an escape"),
    (br#"["\"]"#,                 "backslash before the last quotation mark"),
    (br#"["\\\"]"#,               "three backslashes before the last quotation mark"),
    (b"[\"\\\x00\"]",             "escaped zero byte"),
    (b"[\"\\\t\"]",               "escaped tab"),
    (b"[\"\\\xF0\x9F\x8C\x80\"]", "escaped emoji"),
    (br#"["\u00A"]"#,             "three digits after the u"),
    (br#"["\uqqqq"]"#,            "letters after the u"),
    (br#"["\uD800\"]"#,           "high half before a backslash"),
    (br#"["\uD800\u"]"#,          "high half before an empty number"),
    (br#"["\uD800\u1"]"#,         "high half before one digit"),
    (br#"["\uD800\u1x"]"#,        "high half before a digit and a letter"),
    (br#"["\uD834\uDd"]"#,        "high half before half of the low one"),
    (br#"["\uD800\uD800\x"]"#,    "two high halves before no escape"),
    (b"[\"a\x00a\"]",             "zero byte in a string"),
    (b"[\"new\nline\"]",          "line feed in a string"),
    (b"[\"\t\"]",                 "tab in a string"),
    (b"['",                       "apostrophe in an array begun"),
    (b"['single quote']",         "string in apostrophes"),
    (b"abc",                      "letters without quotation marks"),
    (br#"[\n]"#,                  "escape outside a string"),
    (br#"[\u000A""]"#,            "escaped line feed before a string"),
    (br#"[\u0020"asd"]"#,         "escaped space before a string"),
    (br#"""x"#,                   "letter after a string"),
];

/// Invalid literal names, and empty texts.
#[rustfmt::skip]
const INVALID_WORDS: &[Row] = &[
    (b"[nul]",        "null cut short"),
    (b"[tru]",        "true cut short"),
    (b"[fals]",       "false cut short"),
    (b"[ false, nul", "null cut short by the end"),
    (b"[ false, tru", "true cut short by the end"),
    (b"[ true, fals", "false cut short by the end"),
    (b"[True]",       "capital in true"),
    (b"[NaN]",        "not a number"),
    (b"[-NaN]",       "minus not a number"),
    (b"[Inf]",        "short infinity"),
    (b"[+Inf]",       "short infinity with a plus"),
    (b"[Infinity]",   "infinity"),
    (b"[-Infinity]",  "minus infinity"),
    (b"[<null>]",     "null in angle brackets"),
    (b"\xC3\xA5",     "accented letter for a word"),
    (b"a\xC3\xA5",    "letters for a word"),
    (b"",              "nothing"),
    (b" ",             "only a space"),
    (b"*",             "only a star"),
    (b"<.>",           "only angle brackets"),
    (b"[] []",         "two texts"),
    (b"// []",         "comment before the text"),
];

/// Invalid UTF-8, other encodings, and byte order marks.
#[rustfmt::skip]
const INVALID_UTF8: &[Row] = &[
    (b"\xE5",                                   "byte of Latin-1 alone"),
    (b"\xE9",                                   "another byte of Latin-1 alone"),
    (b"[\xFF]",                                 "byte outside UTF-8 for a value"),
    (b"[a\xE5]",                                "byte of Latin-1 after a letter"),
    (b"[0\xE5]\n",                              "byte of Latin-1 after zero"),
    (b"[123\xE5]",                              "byte of Latin-1 after a number"),
    (b"[1e\xE5]",                               "byte of Latin-1 in an exponent"),
    (b"[1e1\xE5]",                              "byte of Latin-1 after an exponent"),
    (b"[\"\\\xE5\"]",                           "byte of Latin-1 after a backslash"),
    (b"[\"\\u\xE5\"]",                          "byte of Latin-1 after a backslash and u"),
    (b"[\"\xE9\"]",                             "byte of Latin-1 in a string"),
    (b"[\"\xFF\"]",                             "byte outside UTF-8 in a string"),
    (b"[\"\x81\"]",                             "continuation byte alone in a string"),
    (b"{\"\xB9\":\"0\",}",                      "continuation byte alone in a name"),
    (b"[\"\xE0\xFF\"]",                         "character cut short"),
    (b"[\"\xE6\x97\xA5\xD1\x88\xFA\"]",         "good characters, then a byte outside UTF-8"),
    (b"[\"\xC0\xAF\"]",                         "slash in two bytes"),
    (b"[\"\xFC\x80\x80\x80\x80\x80\"]",         "zero in six bytes"),
    (b"[\"\xFC\x83\xBF\xBF\xBF\xBF\"]",         "noncharacter in six bytes"),
    (b"[\"\xED\xA0\x80\"]",                     "surrogate in three bytes"),
    (b"[\"\xF4\xBF\xBF\xBF\"]",                 "beyond the last code point"),
    (b"\xEF\xBB\xBF",                           "byte order mark alone"),
    (b"\xEF\xBB\xBF{}",                         "byte order mark before an object"),
    (b"\xEF\xBB{}",                             "byte order mark cut short"),
    (b"\xFF\xFE[\x00\"\x00\xE9\x00\"\x00]\x00", "UTF-16, little end first, marked"),
    (b"[\x00\"\x00\xE9\x00\"\x00]\x00",         "UTF-16, little end first"),
    (b"\x00[\x00\"\x00\xE9\x00\"\x00]",         "UTF-16, big end first"),
];
