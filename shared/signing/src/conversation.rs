//! The conversation with the process that reads originals and writes manifests. The process asks for each signature, so that the
//! key stays with the side that ordered the manifests.
//!
//! A message is a letter, the length of its content in four bytes, and the content. The process gets the messages `ORDER` (in
//! JSON), `ORIGINAL` and, for each rendition, `RENDITION`. It sends a `CLAIM` for each signature that it needs, and gets a
//! `SIGNATURE`. Its last messages are `END` (in JSON), with the outcome, and for each signed rendition its
//! bytes (`RENDITION`) and its `MANIFEST`.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use c2pa::{Error, Signer, SigningAlg};
use credlink_core::bounds::MAX_WHOLE_FILE_BYTES;
use credlink_core::collection::ParentLocation;
use credlink_core::file::{FileType, RenditionName};
use credlink_core::manifest_id::ManifestId;
use credlink_ports::{NotSigned, SignedRendition, SigningOrder, UnsignedRendition};
use serde::{Deserialize, Serialize};

use crate::certificates::Certificates;
use crate::claim_signer::reserved;
use crate::manifests;

/// The letters of messages.
const ORDER: u8 = b'o';
const ORIGINAL: u8 = b'f';
const RENDITION: u8 = b'r';
const CLAIM: u8 = b'c';
const SIGNATURE: u8 = b's';
const END: u8 = b'e';
const MANIFEST: u8 = b'm';

/// The longest message, in bytes: an original may be as long as a server finalises.
const MAX_MESSAGE: u64 = MAX_WHOLE_FILE_BYTES;

/// The longest claim, in bytes. One of a rendition has some hundred bytes, and more for each redaction.
const MAX_CLAIM: usize = 1_000_000;

/// The content of the message with an order.
#[derive(Serialize, Deserialize)]
struct SentOrder {
    kind: FileType,
    proof_url: String,
    location: ParentLocation,
    algorithm: String,
    certificates: Vec<String>,
    renditions: Vec<SentRendition>,
}

/// A rendition in an order, without its bytes.
#[derive(Serialize, Deserialize)]
struct SentRendition {
    name: RenditionName,
    is_scaled: bool,
    is_cropped: bool,
    manifest: ManifestId,
    manifest_url: String,
}

/// The outcome of an order, as the content of the last message.
#[derive(Serialize, Deserialize)]
enum End {
    Signed(Vec<RenditionName>),
    Location,
    Unable(String),
}

/// A message of the process.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It wants these bytes signed.
    Claim(Vec<u8>),
    /// It has finished.
    End(Result<Vec<SignedRendition>, NotSigned>),
}

/// Returns the messages that order manifests for the renditions of `original`.
///
/// # Errors
/// Fails if something is longer than a message may be.
pub fn order(original: &[u8], order: &SigningOrder, certificates: &Certificates) -> io::Result<Vec<u8>> {
    let rendition = |rendition: &UnsignedRendition| SentRendition {
        name: rendition.name.clone(),
        is_scaled: rendition.is_scaled,
        is_cropped: rendition.is_cropped,
        manifest: rendition.manifest.clone(),
        manifest_url: rendition.manifest_url.clone(),
    };
    let sent = SentOrder {
        kind: order.kind,
        proof_url: order.proof_url.clone(),
        location: order.location,
        algorithm: certificates.algorithm.to_string(),
        certificates: certificates.chain.iter().map(|der| STANDARD.encode(der)).collect(),
        renditions: order.renditions.iter().map(rendition).collect(),
    };
    let mut messages = Vec::new();
    say(&mut messages, ORDER, &serde_json::to_vec(&sent)?)?;
    say(&mut messages, ORIGINAL, original)?;
    for rendition in &order.renditions {
        say(&mut messages, RENDITION, &rendition.bytes)?;
    }
    Ok(messages)
}

/// Returns the message with a signature.
#[must_use]
pub fn signature(signature: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let said = say(&mut message, SIGNATURE, signature);
    // A vector takes everything, and a signature is short.
    debug_assert!(said.is_ok());
    message
}

/// Returns the next message of the process, and the renditions and manifests that follow the last one.
///
/// # Errors
/// Fails if the process ended, or said something that does not belong to the conversation.
pub fn hear(from: &mut impl Read) -> io::Result<Said> {
    let (letter, content) = listen(from)?;
    match letter {
        CLAIM if content.len() <= MAX_CLAIM => Ok(Said::Claim(content)),
        END => Ok(Said::End(match serde_json::from_slice(&content)? {
            End::Location => Err(NotSigned::Location),
            End::Unable(why) => Err(NotSigned::Unable(why)),
            End::Signed(names) => {
                let mut signed = Vec::new();
                for name in names {
                    let bytes = expect(from, RENDITION)?.into();
                    let manifest = expect(from, MANIFEST)?.into();
                    signed.push(SignedRendition { name, bytes, manifest });
                }
                Ok(signed)
            }
        })),
        _ => Err(strange(letter)),
    }
}

/// Takes part as the process: reads an order, has claims signed, and sends the manifests.
///
/// # Errors
/// Fails if the other side ended, or said something that does not belong to the conversation.
pub fn answer(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let sent: SentOrder = serde_json::from_slice(&expect(from, ORDER)?)?;
    let original = expect(from, ORIGINAL)?;
    let mut order = SigningOrder {
        kind: sent.kind,
        proof_url: sent.proof_url,
        location: sent.location,
        renditions: Vec::new(),
    };
    for rendition in sent.renditions {
        order.renditions.push(UnsignedRendition {
            bytes: Bytes::from(expect(from, RENDITION)?),
            name: rendition.name,
            is_scaled: rendition.is_scaled,
            is_cropped: rendition.is_cropped,
            manifest: rendition.manifest,
            manifest_url: rendition.manifest_url,
        });
    }
    let chain: Result<Vec<_>, _> = sent.certificates.iter().map(|text| STANDARD.decode(text)).collect();
    let algorithm = sent.algorithm.parse().map_err(io::Error::other)?;
    let certificates =
        Certificates { chain: chain.map_err(io::Error::other)?, algorithm, subject: String::new() };
    let asking = Asking { certificates, line: RefCell::new((from, to)) };
    let signed = manifests::sign(&original, &order, &asking);
    let (_, to) = asking.line.into_inner();
    let (end, signed) = match signed {
        Ok(signed) => (End::Signed(signed.iter().map(|signed| signed.name.clone()).collect()), signed),
        Err(NotSigned::Location) => (End::Location, Vec::new()),
        Err(NotSigned::Unable(why)) => (End::Unable(why), Vec::new()),
        Err(NotSigned::Failed(failure)) => (End::Unable(failure.to_string()), Vec::new()),
    };
    say(to, END, &serde_json::to_vec(&end)?)?;
    for rendition in signed {
        say(to, RENDITION, &rendition.bytes)?;
        say(to, MANIFEST, &rendition.manifest)?;
    }
    to.flush()
}

/// A signer that asks the other side for each signature.
struct Asking<'a, R, W> {
    certificates: Certificates,
    line: RefCell<(&'a mut R, &'a mut W)>,
}

impl<R: Read, W: Write> Signer for Asking<'_, R, W> {
    fn sign(&self, claim: &[u8]) -> c2pa::Result<Vec<u8>> {
        let mut line = self.line.borrow_mut();
        let (from, to) = &mut *line;
        say(to, CLAIM, claim)?;
        to.flush()?;
        match listen(from)? {
            (SIGNATURE, signature) => Ok(signature),
            _ => Err(Error::BadParam("the signing key did not sign".to_owned())),
        }
    }

    fn alg(&self) -> SigningAlg {
        self.certificates.algorithm
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        Ok(self.certificates.chain.clone())
    }

    fn reserve_size(&self) -> usize {
        reserved(&self.certificates)
    }
}

/// Writes a message.
fn say(to: &mut impl Write, letter: u8, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).ok().filter(|length| u64::from(*length) <= MAX_MESSAGE);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a message is too long"))?;
    to.write_all(&[letter])?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(content)
}

/// Reads a message.
fn listen(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [letter, length @ ..] = head;
    let length = u32::from_be_bytes(length);
    if u64::from(length) > MAX_MESSAGE {
        return Err(strange(letter));
    }
    // What is said to be long is only allocated as it arrives.
    let mut content = Vec::new();
    from.take(length.into()).read_to_end(&mut content)?;
    if content.len() as u64 == u64::from(length) {
        Ok((letter, content))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads a message, which has to have the letter `wanted`.
fn expect(from: &mut impl Read, wanted: u8) -> io::Result<Vec<u8>> {
    match listen(from)? {
        (letter, content) if letter == wanted => Ok(content),
        (letter, _) => Err(strange(letter)),
    }
}

/// Returns the error of a message that does not belong to the conversation, or not at this point.
fn strange(letter: u8) -> io::Error {
    let message = format!("a message `{}` is no part of the conversation", letter.escape_ascii());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_strange_is_an_error() {
        for (said, kind) in [
            (&b""[..], io::ErrorKind::UnexpectedEof),
            (b"c\0\0\0\x05ab", io::ErrorKind::UnexpectedEof),
            (b"z\0\0\0\0", io::ErrorKind::InvalidData),
            (b"c\xff\xff\xff\xff", io::ErrorKind::InvalidData),
            (b"e\0\0\0\x02{}", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(hear(&mut &said[..]).unwrap_err().kind(), kind, "{said:?}");
        }
        assert_eq!(hear(&mut &b"c\0\0\0\x02ab"[..]).unwrap(), Said::Claim(b"ab".to_vec()));
    }
}
