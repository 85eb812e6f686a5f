// Package php adds sessions shared with PHP to the handler. It has no code of its own: README.md
// says what is where.
package php

import (
	// dialect php
	_ "github.com/caddy-session/caddy-session/frameworks/php/phpsession"
)
