package sessionstore_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

func Example() {
	store := memory.New(memory.Options{})
	defer store.Close()
	manager := sessionstore.NewManager(store, sessionstore.Options{MaxSize: 16 << 10})
	ctx, scope := context.Background(), sessionstore.Scope{Host: "example.org"}

	// A change to a session that does not exist begins one. Give the client its id, signed.
	out, err := manager.Commit(ctx, &sessionstore.Session{Scope: scope}, &sessionstore.Change{Edits: []sessionstore.Edit{
		sessionstore.Set("user", map[string]any{"name": "Ada", "id": 4711}),
		sessionstore.Merge(map[string]any{"theme": "dark", "cart": []string{"A-1234"}}),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := manager.Load(ctx, out.ID, scope)
	if err != nil {
		fmt.Println(err)
		return
	}
	var data struct {
		User struct {
			Name string
			ID   int
		}
		Cart []string
	}
	if err := session.Decode(&data); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Exists(), session.Get("user.name"), data.User.ID, data.Cart)
	// Output: true Ada 4711 [A-1234]
}

// Twenty requests add to one number at once, and none of them is lost.
func ExampleIncrement() {
	store := memory.New(memory.Options{})
	defer store.Close()
	manager := sessionstore.NewManager(store, sessionstore.Options{})
	ctx, scope := context.Background(), sessionstore.Scope{Host: "example.org"}
	visit := func(s *sessionstore.Session) string {
		out, err := manager.Commit(ctx, s, &sessionstore.Change{
			Edits: []sessionstore.Edit{sessionstore.Increment("visits", 1)},
		})
		if err != nil {
			fmt.Println(err)
		}
		return out.ID
	}
	id := visit(&sessionstore.Session{Scope: scope})
	var requests sync.WaitGroup
	for range 20 {
		requests.Go(func() {
			if s, err := manager.Load(ctx, id, scope); err == nil {
				visit(s)
			}
		})
	}
	requests.Wait()
	s, err := manager.Load(ctx, id, scope)
	fmt.Println(s.Get("visits"), err)
	// Output: 21 <nil>
}

func ExampleParseEdit() {
	store := memory.New(memory.Options{})
	defer store.Close()
	manager := sessionstore.NewManager(store, sessionstore.Options{})
	ctx, scope := context.Background(), sessionstore.Scope{Host: "example.org"}

	merge, err := sessionstore.ParseEdit(`{"cart":["A-1234"],"theme":"dark"}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	patch, err := sessionstore.ParseEdit(`[{"op":"add","path":"/cart/-","value":"B-5678"},{"op":"remove","path":"/theme"}]`)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := manager.Commit(ctx, &sessionstore.Session{Scope: scope}, &sessionstore.Change{Edits: []sessionstore.Edit{merge, patch}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := manager.Load(ctx, out.ID, scope)
	fmt.Println(s.Data(), err)
	// Output: {"cart":["A-1234","B-5678"]} <nil>
}

func ExampleAppend() {
	store := memory.New(memory.Options{})
	defer store.Close()
	manager := sessionstore.NewManager(store, sessionstore.Options{})
	ctx, scope := context.Background(), sessionstore.Scope{Host: "example.org"}
	session, id := &sessionstore.Session{Scope: scope}, ""
	for _, item := range []string{"tea", "milk"} {
		out, err := manager.Commit(ctx, session, &sessionstore.Change{
			Edits: []sessionstore.Edit{sessionstore.Append("cart", item)},
		})
		if out.ID != "" {
			id = out.ID // for the cookie
		}
		if err == nil {
			session, err = manager.Load(ctx, id, scope)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(session.Data())
	// Output: {"cart":["tea","milk"]}
}
