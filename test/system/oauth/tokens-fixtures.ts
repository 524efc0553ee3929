export const logoutEvent = { 'http://schemas.openid.net/event/backchannel-logout': {} }

export const exchange = { provider: { idTokenExchange: true } }
