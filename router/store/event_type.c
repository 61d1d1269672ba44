/*
 * event_type.c - what events are called.
 */
#include "router/store/store.h"

static const char *const event_names[] = {
	[EVENT_NONE] = "",
	[EVENT_SEND] = "Send",
	[EVENT_DELIVERY] = "Delivery",
	[EVENT_BOUNCE] = "Bounce",
	[EVENT_DELAY] = "DeliveryDelay",
	[EVENT_EXPIRED] = "Expired",
	[EVENT_SUPPRESSED] = "Suppressed",
	[EVENT_REMOVED] = "Removed",
	[EVENT_UNREAD] = "Unread",
	[EVENT_COMPLAINT] = "Complaint",
	[EVENT_REJECT] = "Reject",
	[EVENT_OPEN] = "Open",
	[EVENT_CLICK] = "Click",
	[EVENT_RENDERING] = "Rendering Failure",
	[EVENT_SUBSCRIPTION] = "Subscription",
	[EVENT_NOTE] = "Note",
	[EVENT_GUARD] = "Guard",
	[EVENT_DEFERRED] = "Deferred",
};

const char *
event_type_name(enum event_type type)
{
	return event_names[type];
}
