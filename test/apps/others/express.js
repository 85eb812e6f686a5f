// An app with express-session, written as in its README: a session begins with the login.
const express = require('express');
const session = require('express-session');

const app = express();
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false }));
app.use(express.urlencoded({ extended: false }));

const login = (done) => (req, res, next) => {
  req.session.regenerate((err) => {
    if (err) return next(err);
    req.session.user = req.body.user;
    req.session.save((err) => (err ? next(err) : done(res)));
  });
};
app.get('/', (req, res) => res.send(req.session.user ?? 'nobody'));
app.post('/login', login((res) => res.redirect('/')));
app.post('/api/login', login((res) => res.json({ ok: true })));
app.listen(process.env.PORT, '127.0.0.1');
