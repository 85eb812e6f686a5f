# An app of Rails. Its session is in its own encrypted cookie, which it writes anew in each answer
# that has read it.
require "action_controller/railtie"

class Legacy < Rails::Application
  config.load_defaults 6.1
  config.eager_load = false
  config.logger = Logger.new($stderr, level: :warn)
  config.secret_key_base = "a key for tests" * 8
  config.hosts.clear
  config.session_store :cookie_store, key: "_legacy_session"
  routes.append do
    get "/", to: "pages#show"
    post "/login", to: "pages#login"
    post "/logout", to: "pages#logout"
  end
end

class PagesController < ActionController::Base
  def show
    session[:visits] = session[:visits].to_i + 1
    render plain: "user=#{session[:user] || "nobody"} token=#{form_authenticity_token}"
  end

  def login
    reset_session
    session[:user] = params[:user]
    redirect_to "/"
  end

  def logout
    reset_session
    redirect_to "/"
  end
end

Legacy.initialize!
run Legacy
