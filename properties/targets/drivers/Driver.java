import java.io.ByteArrayInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Drives JSSE as a server or a client: Driver ROLE PORT CERT KEY CA NAME [client-auth] [ticket] [id] [renegotiation].
 *
 * A server answers whatever it reads, each connection in a thread of its own. A client connects at once, and once more for
 * each further line on standard input; it resumes a session where that is "go resume".
 */
public final class Driver {
    private static final byte[] ANSWER =
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n".getBytes(StandardCharsets.US_ASCII);
    private static final char[] PASSWORD = "public".toCharArray();

    public static void main(String[] args) throws Exception {
        if (args.length < 6) {
            System.err.println("usage: Driver ROLE PORT CERT KEY CA NAME [OPTION...]");
            System.exit(1);
        }
        boolean server = args[0].equals("server");
        int port = Integer.parseInt(args[1]);
        Set<String> options = Set.copyOf(List.of(args).subList(6, args.length));
        // As it comes, Java refuses TLS_RSA (since 2025) and others of the suites that are to be tested.
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        Security.setProperty("jdk.tls.legacyAlgorithms", "");
        Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        boolean ticket = options.contains("ticket");
        System.setProperty("jdk.tls.server.enableSessionTicketExtension", Boolean.toString(ticket));
        System.setProperty("jdk.tls.client.enableSessionTicketExtension", Boolean.toString(ticket));
        System.setProperty("jdk.tls.rejectClientInitiatedRenegotiation", Boolean.toString(!options.contains("renegotiation")));
        SSLContext context = SSLContext.getInstance("TLS");
        boolean identified = server || options.contains("client-auth");
        context.init(
                identified ? keys(Path.of(args[2]), Path.of(args[3])).getKeyManagers() : null,
                anchors(Path.of(args[4])).getTrustManagers(),
                null);
        if (server) {
            serve(context, port, options);
            return;
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        String line;
        do {
            fetch(context, port, args[5], ticket || options.contains("id"));
            line = lines.readLine();
            if (line != null && !line.equals("go resume")) {
                forget(context.getClientSessionContext());
            }
        } while (line != null);
    }

    private static void forget(SSLSessionContext sessions) {
        for (byte[] id : Collections.list(sessions.getIds())) {
            SSLSession session = sessions.getSession(id);
            if (session != null) {
                session.invalidate();
            }
        }
    }

    private static void serve(SSLContext context, int port, Set<String> options) throws Exception {
        try (ServerSocket listener = new ServerSocket(port, 512, InetAddress.getByName("127.0.0.1"))) {
            while (true) {
                Socket plain = listener.accept();
                new Thread(() -> answer(context, plain, options)).start();
            }
        }
    }

    private static void answer(SSLContext context, Socket plain, Set<String> options) {
        try {
            plain.setTcpNoDelay(true);
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, null, true);
            socket.setUseClientMode(false);
            restrict(socket);
            socket.setWantClientAuth(options.contains("client-auth"));
            try (socket) {
                byte[] buffer = new byte[1 << 14];
                while (socket.getInputStream().read(buffer) >= 0) {
                    socket.getOutputStream().write(ANSWER);
                }
            }
        } catch (IOException error) {
            // The library has said to the peer what there is to say.
        }
    }

    private static void fetch(SSLContext context, int port, String name, boolean resumes) {
        try {
            Socket plain = new Socket(InetAddress.getByName("127.0.0.1"), port);
            plain.setTcpNoDelay(true);
            // Host and port are what a session is found by.
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, name, port, true);
            restrict(socket);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setServerNames(List.of(new SNIHostName(name)));
            socket.setSSLParameters(parameters);
            try (socket) {
                String request = "GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n";
                socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
                byte[] buffer = new byte[1 << 14];
                while (socket.getInputStream().read(buffer) >= 0) {
                    continue;
                }
            } finally {
                if (!resumes) {
                    socket.getSession().invalidate();
                }
            }
        } catch (IOException error) {
            System.err.println(error.getMessage());
        }
    }

    private static void restrict(SSLSocket socket) {
        socket.setEnabledProtocols(new String[] {"TLSv1.2"});
        socket.setEnabledCipherSuites(
                List.of(socket.getSupportedCipherSuites()).stream()
                        .filter(suite -> !suite.contains("_anon_") && !suite.contains("KRB5"))
                        .toArray(String[]::new));
    }

    private static KeyManagerFactory keys(Path certificates, Path key) throws Exception {
        PrivateKey privateKey = null;
        byte[] der = der(Files.readString(key));
        for (String algorithm : List.of("RSA", "EC")) {
            try {
                privateKey = KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
                break;
            } catch (java.security.spec.InvalidKeySpecException error) {
                continue;
            }
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("identity", privateKey, PASSWORD, read(certificates).toArray(Certificate[]::new));
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(store, PASSWORD);
        return factory;
    }

    private static TrustManagerFactory anchors(Path file) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        int number = 0;
        for (Certificate certificate : read(file)) {
            store.setCertificateEntry("anchor " + number++, certificate);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        return factory;
    }

    private static List<Certificate> read(Path file) throws Exception {
        byte[] data = Files.readAllBytes(file);
        return List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(data)));
    }

    private static byte[] der(String pem) {
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]+-----", ""));
    }
}
