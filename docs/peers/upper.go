// Sends each line back in capitals, with a goroutine for each client.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const lineLimit = 1000

var patience = 10 * time.Second

// One client, in a goroutine of its own.
func shout(conn net.Conn) {
	reader := bufio.NewReaderSize(conn, lineLimit)
	for {
		conn.SetReadDeadline(time.Now().Add(patience))
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			conn.Write([]byte("bye\n"))
			return
		}
		if len(line) > 0 {
			if _, err := conn.Write(bytes.ToUpper(line)); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

type clients struct {
	sync.Mutex
	conns map[net.Conn]bool
	group sync.WaitGroup
}

func (c *clients) serve(conn net.Conn) {
	defer c.group.Done()
	shout(conn)
	c.Lock()
	delete(c.conns, conn)
	c.Unlock()
	conn.Close()
}

func (c *clients) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		c.Lock()
		c.conns[conn] = true
		c.Unlock()
		c.group.Add(1)
		go c.serve(conn)
	}
}

// Lets clients finish for a second, then takes their connections away.
func (c *clients) drain() {
	done := make(chan struct{})
	go func() { c.group.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(time.Second):
	}
	c.Lock()
	for conn := range c.conns {
		conn.Close()
	}
	c.Unlock()
	<-done
}

func main() {
	port := "7777"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	if len(os.Args) > 2 {
		seconds, _ := strconv.ParseFloat(os.Args[2], 64)
		patience = time.Duration(seconds * float64(time.Second))
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, "upper:", err)
		os.Exit(1)
	}
	fmt.Println("serving on", listener.Addr())
	all := clients{conns: map[net.Conn]bool{}}
	accepted := make(chan struct{})
	go func() { all.accept(listener); close(accepted) }()
	<-stop
	listener.Close()
	<-accepted
	all.drain()
}
