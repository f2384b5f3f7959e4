//! An echo server with Tokio: a task for each connection, on one thread.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BUFFER: usize = 32 * 1024;

async fn serve(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    // Not zeroed, so that its pages take no memory before something is read into them.
    let mut buffer = Vec::with_capacity(BUFFER);
    while connection.read_buf(&mut buffer).await? > 0 {
        connection.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

async fn accept_all(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        // A connection that breaks is nobody's concern.
        tokio::spawn(async move { drop(serve(connection).await) });
    }
}

const USAGE: &str = "usage: echo --port PORT

An echo server with Tokio.
Listens on 127.0.0.1 and echoes until it is killed.";

fn port() -> Option<u16> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [option] if option == "--help" => {
            println!("{USAGE}");
            std::process::exit(0);
        }
        [option, number] if option == "--port" => number.parse().ok(),
        _ => None,
    }
}

fn main() -> std::io::Result<()> {
    let Some(port) = port() else {
        eprintln!("{USAGE}");
        std::process::exit(1);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        tokio::spawn(accept_all(port))
            .await
            .expect("the task failed")
    })
}
