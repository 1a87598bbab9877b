// Drives Go's crypto/tls as a server or a client: driver ROLE PORT CERT KEY CA NAME [client-auth] [ticket] [renegotiation].
//
// A server answers whatever it reads, each connection in a goroutine of its own. A client connects at once, and once more
// for each further line on standard input; it resumes a session where that is "go resume".
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"runtime"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	if len(os.Args) < 7 {
		fatal(fmt.Errorf("usage: driver ROLE PORT CERT KEY CA NAME [OPTION...]"))
	}
	role, port, certFile, keyFile, caFile, name := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	options := map[string]bool{}
	for _, option := range os.Args[7:] {
		options[option] = true
	}
	pem, err := os.ReadFile(caFile)
	fatal(err)
	anchors := x509.NewCertPool()
	anchors.AppendCertsFromPEM(pem)
	// Every suite, those of TLS_RSA and CBC too, which a new Go offers only when they are listed.
	suites := []uint16{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, suite.ID)
	}
	config := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS12,
		CipherSuites:           suites,
		SessionTicketsDisabled: !options["ticket"],
	}
	if role == "server" || options["client-auth"] {
		identity, err := tls.LoadX509KeyPair(certFile, keyFile)
		fatal(err)
		config.Certificates = []tls.Certificate{identity}
	}
	address := net.JoinHostPort("127.0.0.1", port)
	if role == "server" {
		if options["client-auth"] {
			config.ClientAuth = tls.VerifyClientCertIfGiven
			config.ClientCAs = anchors
		}
		serve(address, config)
		return
	}
	config.RootCAs = anchors
	config.ServerName = name
	config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	if options["renegotiation"] {
		config.Renegotiation = tls.RenegotiateFreelyAsClient
	}
	lines := bufio.NewScanner(os.Stdin)
	for {
		fetch(address, config)
		if !lines.Scan() {
			return
		}
		if lines.Text() != "go resume" {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		}
	}
}

func serve(address string, config *tls.Config) {
	listener, err := net.Listen("tcp", address)
	fatal(err)
	for {
		plain, err := listener.Accept()
		fatal(err)
		go func() {
			connection := tls.Server(plain, config)
			defer connection.Close()
			buffer := make([]byte, 1<<14)
			for {
				if _, err := connection.Read(buffer); err != nil {
					return
				}
				if _, err := connection.Write([]byte(answer)); err != nil {
					return
				}
			}
		}()
	}
}

func fetch(address string, config *tls.Config) {
	plain, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	connection := tls.Client(plain, config)
	defer connection.Close()
	if _, err := fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", config.ServerName); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	buffer := make([]byte, 1<<14)
	for {
		if _, err := connection.Read(buffer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
