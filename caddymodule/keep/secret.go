package keep

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sync/singleflight"

	nativedialect "github.com/caddy-session/caddy-session/caddymodule/dialects/native"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/signer"
)

const (
	// StorageKey is the name of the generated key in Caddy's storage.
	StorageKey = "session/secret.key"

	// minSecret is the minimum length of a key, in bytes.
	minSecret = 16

	// generatedSecret is the length of the generated key before encoding, in bytes.
	generatedSecret = 32
)

// Secret provides the signer of the session cookie. Its keys are those of the configuration, or one
// that is kept in Caddy's storage. That one is generated at first use, because provisioning must
// write nothing.
type Secret struct {
	signer   atomic.Pointer[signer.Signer]
	storage  certmagic.Storage
	fetching singleflight.Group
}

// Provision resolves the placeholders in the configured keys. It does not change the configuration,
// which Caddy may log.
func (s *Secret) Provision(configured []string, storage certmagic.Storage) error {
	s.storage = storage
	if len(configured) == 0 {
		return nil
	}
	keys, err := Keys("secret", configured)
	if err != nil {
		return err
	}
	return s.use(keys...)
}

// Keys resolves the placeholders in the keys of an option, and refuses short ones.
func Keys(option string, configured []string) ([][]byte, error) {
	resolved, err := config.Keys(option, configured)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(resolved))
	for i, key := range resolved {
		if len(key) < minSecret {
			return nil, fmt.Errorf("%s: key %d of %d is %d bytes long, at least %d are needed (openssl rand -base64 32 makes one)",
				option, i+1, len(configured), len(key), minSecret)
		}
		keys[i] = []byte(key)
	}
	return keys, nil
}

func (s *Secret) use(keys ...[]byte) error {
	sgn, err := signer.New(signer.Options{Keys: keys, Salt: nativedialect.Salt})
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	s.signer.Store(sgn)
	return nil
}

const (
	// fetchTimeout is the time limit for getting the key from the storage.
	fetchTimeout = 30 * time.Second

	// fetchPatience is how long a request waits for the key. If several instances generate it at
	// once, they wait for the storage's lock, and file storage checks its lock once a second.
	fetchPatience = 3 * time.Second
)

// Get returns the signer. It can fail or wait only if no key is configured and none has been
// fetched yet.
func (s *Secret) Get(ctx context.Context) (*signer.Signer, error) {
	if sgn := s.signer.Load(); sgn != nil {
		return sgn, nil
	}
	limit := time.NewTimer(fetchPatience)
	defer limit.Stop()
	var err error
	select {
	case fetched := <-s.fetching.DoChan("", s.obtain):
		err = fetched.Err
	case <-limit.C:
		err = context.DeadlineExceeded
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the session key in Caddy's storage: %w", sessionstore.ErrUnavailable, err)
	}
	return s.signer.Load(), nil
}

// Made reports whether there is a key. It makes none.
func (s *Secret) Made(ctx context.Context) (bool, error) {
	if s.signer.Load() != nil {
		return true, nil
	}
	_, err := s.load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// obtain gets the key from the storage. It goes on when the requests that wait for it give up.
func (s *Secret) obtain() (any, error) {
	if s.signer.Load() != nil {
		return nil, nil // another attempt has just ended
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	key, err := s.fetch(ctx)
	if err == nil {
		err = s.use(key)
	}
	return nil, err
}

// fetch reads the key from the storage. It generates a key only if there is still none while it
// holds the storage's lock: a second key would log everybody out.
func (s *Secret) fetch(ctx context.Context) (key []byte, err error) {
	if key, err = s.load(ctx); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := s.storage.Lock(ctx, StorageKey); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.storage.Unlock(context.WithoutCancel(ctx), StorageKey)) }()
	if key, err = s.load(ctx); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	random := make([]byte, generatedSecret)
	_, _ = rand.Read(random)
	key = base64.RawURLEncoding.AppendEncode(nil, random)
	return key, s.storage.Store(ctx, StorageKey, key)
}

func (s *Secret) load(ctx context.Context) ([]byte, error) {
	text, err := s.storage.Load(ctx, StorageKey)
	if err != nil {
		return nil, err
	}
	key := []byte(strings.TrimSpace(string(text)))
	if len(key) < minSecret {
		return nil, fmt.Errorf("%s is damaged: it holds %d bytes; put back the key that was there, or delete it to log everybody out", StorageKey, len(key))
	}
	return key, nil
}
