// Command ferretdb is the MongoDB server of the tests: FerretDB 1 with SQLite. It is a separate
// module so that the product does not depend on it.
//
// FerretDB 1 finds a document and then writes it in a second statement, so two updates that expect
// the same document may both succeed. MongoDB's updates are atomic. So a gate in front of it
// forwards one write at a time. FerretDB 1 also lacks TTL indexes, without which Flask-Session 0.8
// does not start: the gate confirms their creation. MongoDB does not delete anything in the first
// minute either.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "the address to listen on")
	dir := flag.String("dir", ".", "the folder of the data")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, dir string) error {
	socket := filepath.Join(dir, "socket")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: socket},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/?_pragma=synchronous(off)", // a killed process loses nothing by this
	})
	if err != nil {
		return err
	}
	outside, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = outside.Close() })
	g := &gate{socket: socket}
	go g.serve(outside)
	return server.Run(ctx)
}
