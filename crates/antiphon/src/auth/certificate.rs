//! Parts of a client's certificate: its name, and how long it holds.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::der::{self, OBJECT_ID, SEQUENCE};

const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
/// The version of a certificate, the only element with this tag.
const VERSION: u8 = 0xa0;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The object id of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = b"\x55\x04\x03";

/// The longest name in bytes.
const MAX_NAME: usize = 1024;

/// What is asked of a certificate that the TLS handshake has verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The first URI of its alternative names, or the first DNS name, or else its common name.
    pub(super) name: String,
    /// When it ends.
    pub(super) end: SystemTime,
}

impl Certificate {
    /// Reads a certificate. `None` if it has no name that can be used.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let der = CertificateDer::from(certificate);
        let parsed = EndEntityCert::try_from(&der).ok()?;
        let name = (parsed.valid_uri_names().next())
            .or_else(|| parsed.valid_dns_names().next())
            .or_else(|| common_name(parsed.subject()).filter(|name| is_plain(name)))?;
        let is_usable = !name.is_empty()
            && name.len() <= MAX_NAME
            && name.chars().all(antiphon_proto::is_printable);
        is_usable.then_some(())?;
        Some(Self {
            name: name.to_owned(),
            end: end(certificate)?,
        })
    }
}

/// Whether a common name could not be taken for a URI or a DNS name, which an authority has to check
/// more strictly.
fn is_plain(name: &str) -> bool {
    !name.contains(['.', ':', '/'])
}

/// The last common name of a subject, which is the one closest to the holder.
fn common_name(mut subject: &[u8]) -> Option<&str> {
    let mut name = None;
    while !subject.is_empty() {
        let (mut set, rest) = der::expect(SET, subject)?;
        subject = rest;
        while !set.is_empty() {
            let (attribute, rest) = der::expect(SEQUENCE, set)?;
            set = rest;
            let (object, value) = der::expect(OBJECT_ID, attribute)?;
            let value = der::first(value)?;
            let is_text = matches!(value.tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING);
            if object == COMMON_NAME && is_text {
                name = std::str::from_utf8(value.content).ok();
            }
        }
    }
    name
}

/// The end of a certificate's time (RFC 5280, section 4.1).
fn end(certificate: &[u8]) -> Option<SystemTime> {
    let (content, _) = der::expect(SEQUENCE, certificate)?;
    let (mut content, _) = der::expect(SEQUENCE, content)?;
    if let Some((_, rest)) = der::expect(VERSION, content) {
        content = rest;
    }
    let (_serial, content) = der::expect(INTEGER, content)?;
    let (_algorithm, content) = der::expect(SEQUENCE, content)?;
    let (_issuer, content) = der::expect(SEQUENCE, content)?;
    let (validity, _) = der::expect(SEQUENCE, content)?;
    let end = der::first(der::first(validity)?.rest)?;
    let text = std::str::from_utf8(end.content).ok()?;
    let (year, rest) = match end.tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 11 || !rest.ends_with('Z') {
        return None;
    }
    let two = |at: usize| number(rest.get(at..at + 2)?);
    let days = days(year, two(0)?, two(2)?)?;
    let (hours, minutes, seconds) = (two(4)?, two(6)?, two(8)?);
    let seconds = days * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    // The last second is a part of the time.
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds + 1))
}

fn number(digits: &str) -> Option<u64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Days since 1970 of a date. Dates before are none: such a certificate has ended in any case.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    let days = before + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn ia5(text: &str) -> Ia5String {
        text.try_into().unwrap()
    }

    #[test]
    fn the_first_uri_or_dns_name_counts_before_the_common_name() {
        let uri = |text| SanType::URI(ia5(text));
        let dns = |text| SanType::DnsName(ia5(text));
        let email = SanType::Rfc822Name(ia5("a@b.example"));
        for (alternative, common, expected) in [
            (vec![], Some("billing"), Some("billing")),
            (vec![dns("a.example")], Some("billing"), Some("a.example")),
            (
                vec![dns("a.example"), uri("spiffe://x/a"), uri("spiffe://x/b")],
                Some("billing"),
                Some("spiffe://x/a"),
            ),
            (vec![email.clone()], Some("billing"), Some("billing")),
            (vec![email], None, None),
            (vec![], None, None),
            (vec![], Some(""), None),
            (vec![], Some("a\nb"), None),
            (vec![], Some("Bücher"), Some("Bücher")),
        ] {
            let der = certificate(|params| {
                params.subject_alt_names = alternative.clone();
                params
                    .distinguished_name
                    .push(DnType::OrganizationName, "Example");
                if let Some(common) = common {
                    params.distinguished_name.push(DnType::CommonName, common);
                }
            });
            let read = Certificate::read(&der).map(|read| read.name);
            assert_eq!(read.as_deref(), expected, "{alternative:?} {common:?}");
        }
    }

    #[test]
    fn the_end_is_that_of_the_certificate() {
        for (year, month, day, expected) in [
            (1970, 1, 1, 1),
            (2000, 2, 29, 951_782_401),
            (2026, 11, 30, 1_795_996_801),
            (2049, 12, 31, 2_524_521_601),
            (2050, 1, 1, 2_524_608_001),
            (2100, 3, 1, 4_107_542_401),
            (9999, 12, 31, 253_402_214_401),
        ] {
            let der = certificate(|params| {
                params.not_after = rcgen::date_time_ymd(year, month, day);
                params.distinguished_name.push(DnType::CommonName, "a");
            });
            let end = Certificate::read(&der).unwrap().end;
            let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(end.as_secs(), expected, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        let der = certificate(|params| params.distinguished_name.push(DnType::CommonName, "a"));
        assert!(Certificate::read(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(Certificate::read(&der[..length]), None);
        }
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 0x55;
            let _ = Certificate::read(&changed);
        }
    }
}
