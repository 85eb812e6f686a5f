// Package sessionstore keeps server-side sessions, for any Go program.
//
// A [Manager] loads sessions from a [Store] and commits changes to them. A change says what becomes
// different, and does not replace the session. So parallel changes are merged, and none is lost. A
// session that has ended never returns. Package httpsession has a middleware for net/http. The
// stores are in the other folders. Package storetest tests the contract of a store.
package sessionstore
