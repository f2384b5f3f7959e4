// An echo server with Go: a goroutine for each connection, on one processor.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
)

const bufferSize = 32 * 1024

// Go sets TCP_NODELAY by itself.
func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferSize)
	for {
		got, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:got]); err != nil {
			return
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	port := flag.Int("port", 0, "listen on 127.0.0.1 at this `port`, and echo until killed")
	flag.Parse()
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", *port))
	check(err)
	for {
		connection, err := listener.Accept()
		check(err)
		go serve(connection)
	}
}
