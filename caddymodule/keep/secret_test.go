package keep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/certmagic"
)

// Many instances with one storage generate one key together.
func TestSecretIsMadeOnce(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	var wg sync.WaitGroup
	values := make([]string, 3)
	for i := range values {
		wg.Go(func() {
			var s Secret
			if err := s.Provision(nil, storage); err != nil {
				t.Error(err)
				return
			}
			sgn, err := s.Get(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			values[i] = sgn.Sign("x")
		})
	}
	wg.Wait()
	for _, v := range values {
		if v != values[0] {
			t.Fatal("two instances have different keys")
		}
	}
}

// Provisioning, as in caddy validate, does not generate the key.
func TestProvisionWritesNoSecret(t *testing.T) {
	dir := t.TempDir()
	var s Secret
	if err := s.Provision(nil, &certmagic.FileStorage{Path: dir}); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the storage holds %v, %v", entries, err)
	}
}

// brokenStorage fails to load, like a network file system.
type brokenStorage struct{ certmagic.Storage }

var errBroken = errors.New("input/output error")

func (brokenStorage) Load(context.Context, string) ([]byte, error) { return nil, errBroken }

// An error of the storage does not mean that there is no key. A second key would log everybody out.
func TestStorageErrorMakesNoSecret(t *testing.T) {
	dir := t.TempDir()
	var s Secret
	if err := s.Provision(nil, brokenStorage{&certmagic.FileStorage{Path: dir}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(context.Background()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("the storage holds %v", entries)
	}
}

// A damaged key is not overwritten.
func TestDamagedSecretStays(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	if err := storage.Store(context.Background(), StorageKey, []byte("short")); err != nil {
		t.Fatal(err)
	}
	var s Secret
	if err := s.Provision(nil, storage); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(context.Background())
	if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "short") {
		t.Errorf("error %v", err)
	}
	got, err := os.ReadFile(filepath.Join(storage.Path, filepath.FromSlash(StorageKey)))
	if err != nil || string(got) != "short" {
		t.Errorf("the key is now %q, %v", got, err)
	}
}
