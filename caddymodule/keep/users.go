package keep

import (
	"context"

	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Users is implemented by keepers that may know all sessions of a user. The methods are for the
// user of the visit's session, until the visit ends. Errors are those of [sessionstore.Manager].
type Users interface {
	// UserSessions returns the user's sessions.
	UserSessions(ctx context.Context, v *Visit) ([]sessionstore.Info, error)

	// End ends a session.
	End(ctx context.Context, v *Visit, ref string) error

	// EndOthers ends all sessions of the user but the visit's.
	EndOthers(ctx context.Context, v *Visit) error
}

// UserSessions implements [Users].
func (k *Store) UserSessions(ctx context.Context, v *Visit) ([]sessionstore.Info, error) {
	return v.manager.UserSessions(ctx, v.Scope, v.Session.User())
}

// End implements [Users].
func (k *Store) End(ctx context.Context, v *Visit, ref string) error {
	was, err := v.manager.End(ctx, ref)
	if was {
		ended.Revoked.Inc()
	}
	return err
}

// EndOthers implements [Users].
func (k *Store) EndOthers(ctx context.Context, v *Visit) error {
	return v.manager.EndOthers(ctx, v.Session)
}

// Interface guard
var _ Users = (*Store)(nil)
