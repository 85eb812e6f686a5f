# Caddy with the usual build of the session handler, from this checkout:
#
#	docker build -t caddy-session .
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -tags=nobadger,nomysql,nopgx -o /usr/bin/caddy ./cmd/caddy

# The official image has Caddy's folders, the root certificates, and the command that starts Caddy.
FROM caddy:2-alpine
COPY --from=build /usr/bin/caddy /usr/bin/caddy
