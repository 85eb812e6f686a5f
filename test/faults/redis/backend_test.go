package redis

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// ServeHTTP is the backend. It finds the request by its number, and records when it came and what
// it was given.
func (h *history) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reached := h.now()
	number, err := strconv.Atoi(r.URL.Query().Get("op"))
	if err != nil {
		return // a request for the pace
	}
	k, session, known := h.kindOf(number)
	if !known {
		http.Error(w, "no such request", http.StatusTeapot)
		return
	}
	found := new(data)
	if err := json.Unmarshal([]byte(r.Header.Get("X-Session-Data")), found); err != nil {
		http.Error(w, "the session's data: "+err.Error(), http.StatusTeapot)
		return
	}
	// In another session it changes nothing: the checker will report what was found.
	asked := found.Owner == session || k == create && found.Owner == ""
	if asked {
		switch k {
		case create:
			w.Header().Set("X-Session-Update", fmt.Sprintf(`{"owner":%q,"n":0,"changes":[]}`, session))
		case regenerate:
			w.Header().Set("X-Session-Control", "regenerate")
			fallthrough
		case change:
			w.Header().Set("X-Session-Update",
				fmt.Sprintf(`[{"op":"increment","path":"/n","value":1},{"op":"add","path":"/changes/-","value":%d}]`, number))
		case destroy:
			w.Header().Set("X-Session-Control", "destroy")
		default:
			asked = false
		}
	}
	h.update(number, func(o *op) {
		o.reached, o.found, o.asked = reached, found, asked
		o.answered = h.now()
	})
}
