%% Drives Erlang's ssl as a server or a client: driver:main([Role, Port, Cert, Key, Ca, Name | Options]); options are
%% client-auth, ticket, id, renegotiation and dh=FILE.
%%
%% A server answers whatever it reads, each connection in a process of its own. A client connects at once, and once more
%% for each further line on standard input.
-module(driver).
-export([main/1]).

-define(ANSWER, <<"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n">>).

main([Role, Port, Cert, Key, Ca, Name | Options]) ->
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(ssl),
    Identity = [{certfile, Cert}, {keyfile, Key}],
    case Role of
        "server" -> serve(list_to_integer(Port), common(Options) ++ Identity ++ server(Options, Ca));
        "client" ->
            Own = case lists:member("client-auth", Options) of true -> Identity; false -> [] end,
            fetch(list_to_integer(Port), common(Options) ++ Own ++ client(Options, Ca, Name), Name)
    end.

%% Every suite of TLS 1.2, so that those of TLS_RSA are among them.
common(_) ->
    [{versions, ['tlsv1.2']},
     {ciphers, ssl:cipher_suites(all, 'tlsv1.2')},
     {log_level, none},
     {nodelay, true},
     {mode, binary},
     {active, false}].

server(Options, Ca) ->
    Field = [{dhfile, File} || "dh=" ++ File <- Options],
    Auth = case lists:member("client-auth", Options) of
               true -> [{verify, verify_peer}, {fail_if_no_peer_cert, false}, {cacertfile, Ca}];
               false -> []
           end,
    [{reuseaddr, true}, {ip, {127, 0, 0, 1}}, {backlog, 512},
     {reuse_sessions, lists:member("id", Options)},
     {client_renegotiation, lists:member("renegotiation", Options)}] ++ Field ++ Auth.

client(Options, Ca, Name) ->
    [{verify, verify_peer}, {cacertfile, Ca}, {server_name_indication, Name},
     {customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]},
     {reuse_sessions, lists:member("id", Options)}].

serve(Port, Settings) ->
    {ok, Listener} = ssl:listen(Port, Settings),
    accept(Listener).

accept(Listener) ->
    {ok, Plain} = ssl:transport_accept(Listener),
    Worker = spawn(fun() -> receive go -> handshake(Plain) end end),
    ok = ssl:controlling_process(Plain, Worker),
    Worker ! go,
    accept(Listener).

handshake(Plain) ->
    case ssl:handshake(Plain) of
        {ok, Socket} -> answer(Socket);
        {error, _} -> ok
    end.

answer(Socket) ->
    case ssl:recv(Socket, 0) of
        {ok, _} -> ssl:send(Socket, ?ANSWER), answer(Socket);
        {error, _} -> ssl:close(Socket)
    end.

fetch(Port, Settings, Name) ->
    %% What the library raises in whoever calls it ends this connection, and not the program.
    try request(Port, Settings, Name) catch
        Class:Reason -> io:format(standard_error, "~p ~P~n", [Class, Reason, 12])
    end,
    case io:get_line("") of
        eof -> halt(0);
        _ -> fetch(Port, Settings, Name)
    end.

request(Port, Settings, Name) ->
    case ssl:connect({127, 0, 0, 1}, Port, Settings) of
        {ok, Socket} ->
            ssl:send(Socket, ["GET / HTTP/1.1\r\nHost: ", Name, "\r\n\r\n"]),
            drain(Socket);
        {error, Reason} -> io:format(standard_error, "~p~n", [Reason])
    end.

drain(Socket) ->
    case ssl:recv(Socket, 0) of
        {ok, _} -> drain(Socket);
        {error, _} -> ssl:close(Socket)
    end.
