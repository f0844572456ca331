//! A quarantine in a folder, with a server for its addresses: as much of `PUT /v1/uploads/{id}/bytes` as the contract
//! needs.

use std::collections::HashMap;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use credlink_core::http::query::Query;
use credlink_core::link::{LinkKey, LinkKeys, Signature};
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Found, Part};
use credlink_core::time::Timestamp;
use credlink_disk::quarantine::{NotReceived, QuarantineFolder};
use credlink_disk::reserve::Reserve;
use credlink_ports::{Clock as _, Failure, Quarantine, SignedPut};
use credlink_runtime::clock::SystemClock;
use tempfile::TempDir;

/// Opens a quarantine in a new folder.
pub fn open() -> (TempDir, Served) {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = LinkKeys { current: LinkKey::new("k", vec![1; 32]).unwrap(), previous: None };
    let reserve = Reserve::at(directory.path());
    let folder = QuarantineFolder::open(directory.path(), url, keys.clone(), reserve).unwrap();
    let server = Arc::new(Server { folder, keys, signed: Mutex::default() });
    let weak = Arc::downgrade(&server);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let weak = weak.clone();
            std::thread::spawn(move || serve(&weak, stream));
        }
    });
    (directory, Served(server))
}

/// The quarantine. It notes for what its addresses stand, as the rows of an index would say.
#[derive(Debug)]
pub struct Served(Arc<Server>);

/// An upload ID, and the number of a part.
type Address = (String, Option<u32>);

#[derive(Debug)]
struct Server {
    folder: QuarantineFolder,
    keys: LinkKeys,
    /// The uploads for which addresses were signed.
    signed: Mutex<HashMap<Address, (UploadRow, Option<Part>)>>,
}

/// Serves one connection, until it ends or the quarantine is dropped.
fn serve(server: &Weak<Server>, stream: TcpStream) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Ok(Some((target, length))) = head(&mut reader) {
        let Some(server) = server.upgrade() else { return };
        let mut body = (&mut reader).take(length);
        let Ok(status) = server.receive(&target, length, &mut body) else { return };
        // A client may read the answer only once it has sent everything.
        let _ = io::copy(&mut body, &mut io::sink());
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads the head of a request: its target and the length of its body.
fn head(reader: &mut impl io::BufRead) -> io::Result<Option<(String, u64)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let Some(target) = line.split(' ').nth(1).map(str::to_owned) else { return Ok(None) };
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => return Ok(Some((target, length))),
        }
    }
}

impl Server {
    /// Returns the status, or an error if the body breaks off.
    fn receive(&self, target: &str, length: u64, body: &mut impl io::Read) -> io::Result<u16> {
        let Some((path, query)) = target.split_once('?') else { return Ok(404) };
        let id = path.strip_prefix("/v1/uploads/").and_then(|rest| rest.strip_suffix("/bytes"));
        let Some(id) = id else { return Ok(404) };
        let Ok(query) = Query::parse(query) else { return Ok(400) };
        let number = query.get("part").and_then(|number| number.parse().ok());
        let signed = self.signed.lock().unwrap().get(&(id.to_owned(), number)).cloned();
        let Some((upload, part)) = signed else { return Ok(404) };
        let Ok(Some(signature)) = Signature::read(&query) else { return Ok(403) };
        if signature.takes_bytes(&self.keys, &upload.id, number, length, SystemClock.now()).is_err() {
            return Ok(403);
        }
        match self.write(&upload, part.as_ref(), body) {
            Ok(()) => Ok(200),
            Err(NotReceived::Io(error)) => Err(error),
            Err(NotReceived::TooLong | NotReceived::TooShort) => Ok(400),
            Err(_) => Ok(409),
        }
    }

    fn write(
        &self,
        upload: &UploadRow,
        part: Option<&Part>,
        body: &mut impl io::Read,
    ) -> Result<(), NotReceived> {
        let mut incoming = self.folder.receive(upload, part)?;
        let mut piece = vec![0; 65_536];
        loop {
            match body.read(&mut piece)? {
                0 => break,
                read => incoming.write(&piece[..read])?,
            }
        }
        if incoming.missing() > 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        incoming.finish()
    }

    fn note(&self, upload: &UploadRow, part: Option<&Part>) {
        let key = (upload.id.to_string(), part.map(|part| part.number));
        self.signed.lock().unwrap().insert(key, (upload.clone(), part.cloned()));
    }
}

impl Quarantine for Served {
    fn name(&self) -> &'static str {
        self.0.folder.name()
    }

    async fn sign_put(&self, upload: &UploadRow, until: Timestamp) -> Result<SignedPut, Failure> {
        self.0.note(upload, None);
        self.0.folder.sign_put(upload, until).await
    }

    async fn begin(&self, upload: &UploadRow) -> Result<String, Failure> {
        self.0.folder.begin(upload).await
    }

    async fn sign_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> Result<SignedPut, Failure> {
        self.0.note(upload, Some(part));
        self.0.folder.sign_part(upload, part, until).await
    }

    async fn found(&self, upload: &UploadRow) -> Result<Found, Failure> {
        self.0.folder.found(upload).await
    }

    async fn join(&self, upload: &UploadRow) -> Result<(), Failure> {
        self.0.folder.join(upload).await
    }

    async fn read(&self, upload: &UploadRow, range: Range<u64>) -> Result<Option<Bytes>, Failure> {
        self.0.folder.read(upload, range).await
    }

    async fn abort(&self, upload: &UploadRow, multipart: &str) -> Result<(), Failure> {
        self.0.folder.abort(upload, multipart).await
    }

    async fn remove(&self, upload: &UploadRow) -> Result<(), Failure> {
        self.0.folder.remove(upload).await
    }
}
