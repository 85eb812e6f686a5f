// Command ferretdb is the MongoDB server of the tests: FerretDB 1, which keeps its data in SQLite. It is a module of its own, so that
// nothing of it is among what the product needs.
//
// FerretDB 1 looks for a document and then writes it, as two statements, so that two updates which expect the same document
// may both succeed. MongoDB's are atomic. So a gate stands before it that lets one write through at a time. Nor has it indexes by
// which a server deletes what has expired, without which Flask-Session 0.8 does not start: the gate says that they are made. MongoDB
// deletes nothing within the first minute either.
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
		SQLiteURL: "file:" + dir + "/?_pragma=synchronous(off)", // a process that is killed loses nothing by that
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
