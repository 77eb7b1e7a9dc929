//! HTTP/1.1 over a plain socket, just enough to ask and to answer quickly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
#[expect(
    clippy::disallowed_types,
    reason = "a benchmark must not measure the product's own HTTP stack on both sides"
)]
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// One connection, used for one message after another.
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

/// The head of a message and its body.
#[derive(Debug)]
pub(crate) struct Message {
    /// The request or status line.
    pub(crate) first: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        Self::over(stream)
    }

    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub(crate) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .context("cannot set a time-out")?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.reader.get_mut().write_all(bytes);
        written.context("the other side closed the connection")
    }

    /// The next message; none if the other side is done.
    pub(crate) fn receive(&mut self) -> Result<Option<Message>> {
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        let mut message = Message {
            first,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line()?.context("the head has no end")?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let name = name.to_ascii_lowercase();
            message.headers.push((name, value.trim().to_owned()));
        }
        message.body = match message.header("transfer-encoding") {
            Some("chunked") => self.chunks()?,
            Some(other) => bail!("transfer-encoding {other} is beyond this benchmark"),
            None => {
                let length = message.header("content-length").unwrap_or("0");
                self.exactly(length.parse().context("content-length is no number")?)?
            }
        };
        Ok(Some(message))
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?.context("a chunk has no head")?;
            let size = usize::from_str_radix(&line, 16).context("a chunk has no size")?;
            body.extend(self.exactly(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.reader
            .read_exact(&mut body)
            .context("the body ended early")?;
        Ok(body)
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).context("nothing came")?;
        line.truncate(line.trim_end().len());
        Ok((read > 0).then_some(line))
    }
}

// === impl Message ===

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(found, _)| found == name)?;
        Some(value)
    }
}
