// Go: a server that echoes, or a client that sends its input and prints the echo. See tests/interop/stacks.py.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type certificate struct{ Chain, Key string }

type options struct {
	Role, Name, Ca, Session string
	Port, Times, Expect     int
	ClientAuth              string `json:"client_auth"`
	Renegotiate             bool
	Suites                  []string
	Certificates            []certificate
}

type report struct {
	Suite   string  `json:"suite"`
	Resumed bool    `json:"resumed"`
	Client  *string `json:"client"`
	Clean   bool    `json:"clean"`
	Error   string  `json:"error"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func configure(o options) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		for _, name := range o.Suites {
			if suite.Name == name {
				config.CipherSuites = append(config.CipherSuites, suite.ID)
			}
		}
	}
	for _, each := range o.Certificates {
		pair, err := tls.LoadX509KeyPair(each.Chain, each.Key)
		check(err)
		config.Certificates = append(config.Certificates, pair)
	}
	pem, err := os.ReadFile(o.Ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config.RootCAs, config.ClientCAs = pool, pool
	config.SessionTicketsDisabled = o.Session != "ticket"
	switch o.ClientAuth {
	case "request":
		config.ClientAuth = tls.VerifyClientCertIfGiven
	case "require":
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if o.Renegotiate {
		config.Renegotiation = tls.RenegotiateFreelyAsClient
	}
	return config
}

func say(w io.Writer, r report) {
	line, err := json.Marshal(r)
	check(err)
	fmt.Fprintln(w, string(line))
}

func describe(connection *tls.Conn) report {
	state := connection.ConnectionState()
	r := report{Suite: tls.CipherSuiteName(state.CipherSuite), Resumed: state.DidResume}
	name := ""
	if len(state.PeerCertificates) > 0 {
		name = state.PeerCertificates[0].Subject.CommonName
	}
	r.Client = &name
	return r
}

func serve(o options) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", configure(o))
	check(err)
	fmt.Printf("LISTENING %s\n", listener.Addr().String()[len("127.0.0.1:"):])
	for {
		accepted, err := listener.Accept()
		check(err)
		connection := accepted.(*tls.Conn)
		if err := connection.Handshake(); err != nil {
			say(os.Stdout, report{Error: err.Error()})
			connection.Close()
			continue
		}
		// Copy ends without an error only at a close_notify; without one it is "unexpected EOF".
		_, err = io.Copy(connection, connection)
		r := describe(connection)
		r.Clean = err == nil
		if err != nil {
			r.Error = err.Error()
		}
		connection.Close()
		say(os.Stdout, r)
	}
}

func visit(o options) {
	data, err := io.ReadAll(os.Stdin)
	check(err)
	config := configure(o)
	config.ServerName = o.Name
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	for i := 0; i < o.Times; i++ {
		connection, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", o.Port), config)
		check(err)
		sent := make(chan error)
		go func() {
			_, err := connection.Write(data)
			sent <- err
		}()
		if o.Expect < 0 {
			_, err = io.Copy(os.Stdout, connection) // no error only at a close_notify
		} else {
			_, err = io.CopyN(os.Stdout, connection, int64(o.Expect))
		}
		check(err)
		check(<-sent)
		r := describe(connection)
		r.Client = nil
		check(connection.CloseWrite())
		_, err = connection.Read(make([]byte, 1))
		r.Clean = err == io.EOF
		connection.Close()
		say(os.Stderr, r)
	}
}

func main() {
	var o options
	check(json.Unmarshal([]byte(os.Args[1]), &o))
	if o.Role == "server" {
		serve(o)
	} else {
		visit(o)
	}
}
