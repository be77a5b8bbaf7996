//! Who may connect to a Unix socket.

use std::fmt;

use antiphon_proto::Framing;

/// Who may connect to the Unix socket of a server: the end of its address, as in
/// `unix:/run/calc.sock?mode=0660&group=www-data`.
///
/// By default only the user who runs the server may connect. Clients have no use for it.
///
/// ```
/// use antiphon::{Address, SocketAccess};
///
/// let address = "http+unix:/run/calc.sock?mode=0660&group=www-data".parse()?;
/// let Address::HttpUnix { access, .. } = address else { panic!() };
/// assert_eq!((access.mode, access.group.as_deref()), (0o660, Some("www-data")));
/// assert_eq!(SocketAccess::default().mode, 0o600);
/// # Ok::<(), antiphon::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SocketAccess {
    /// The permission bits: 0600, 0660 or 0666. Default: 0600.
    ///
    /// Connecting takes both reading and writing, so others than these are refused.
    pub mode: u32,
    /// Name or number of the group that the socket belongs to; `None` means that of the process. A
    /// group needs a mode other than 0600.
    pub group: Option<String>,
}

/// The modes that can be asked for: the owner, also the group, everybody.
const MODES: [u32; 3] = [0o600, 0o660, 0o666];

impl Default for SocketAccess {
    fn default() -> Self {
        Self {
            mode: 0o600,
            group: None,
        }
    }
}

impl SocketAccess {
    /// Whether only the user who runs the server may connect.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn check(self) -> Result<Self, String> {
        match (&self.group, self.mode) {
            (Some(group), 0o600) => Err(format!(
                "`group={group}` has no effect, because the mode 0600 gives the group nothing; add \
                 `mode=0660`"
            )),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for SocketAccess {
    /// Writes the members of the query that differ from the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, group) = (self.mode, &self.group);
        match group {
            _ if self.is_default() => Ok(()),
            Some(group) => write!(f, "mode={mode:04o}&group={group}"),
            None => write!(f, "mode={mode:04o}"),
        }
    }
}

/// Splits the query off the address of a Unix socket. `None` for the framing if there is none in it.
/// The error is what is wrong.
pub(super) fn split_query(text: &str) -> Result<(&str, Option<Framing>, SocketAccess), String> {
    let Some((path, query)) = text.split_once('?') else {
        return Ok((text, None, SocketAccess::default()));
    };
    let (mut framing, mut mode, mut group) = (None, None, None);
    for member in query.split('&') {
        let repeated = match member.split_once('=') {
            Some(("framing", word)) => framing.replace(parse_framing(word)?).is_some(),
            Some(("mode", word)) => mode.replace(parse_mode(word)?).is_some(),
            Some(("group", word)) => group.replace(parse_group(word)?).is_some(),
            _ => {
                return Err(format!(
                    "`{member}`: the address of a socket takes `framing=…`, `mode=…` and `group=…`"
                ));
            }
        };
        if repeated {
            return Err(format!("`{member}` is there a second time"));
        }
    }
    let mode = mode.unwrap_or(SocketAccess::default().mode);
    Ok((path, framing, SocketAccess { mode, group }.check()?))
}

fn parse_framing(word: &str) -> Result<Framing, String> {
    word.parse().map_err(|_| {
        format!("`framing={word}`: it is `framing=newline` or `framing=content-length`")
    })
}

fn parse_mode(word: &str) -> Result<u32, String> {
    let digits = (3..=4).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(word, 8).ok().filter(|_| digits);
    mode.filter(|mode| MODES.contains(mode)).ok_or_else(|| {
        format!(
            "`mode={word}`: it is 0600 for the user of the server, 0660 for its group too, or 0666 \
             for everybody on this machine"
        )
    })
}

fn parse_group(word: &str) -> Result<String, String> {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+' | '\\');
    if !word.is_empty() && word.chars().all(named) {
        return Ok(word.to_owned());
    }
    Err(format!(
        "`group={word}`: it is the name or the number of a group"
    ))
}
