// Package php holds the file that keeps $_SESSION of unmodified PHP scripts. It is for PHP alone:
// see session.php.
package php

import _ "embed"

// Session is the file to put before every script.
//
//go:embed session.php
var Session string
