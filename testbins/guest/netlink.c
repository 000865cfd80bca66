/* Netlink: enough for a C library to list interfaces; and the old ioctls. */
#include "t.h"
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

static char buffer[32768];

/* Asks, and returns the first reply. */
static struct nlmsghdr *ask(int type, int flags, void *body, int length, bool strict) {
    static char request[512];
    struct nlmsghdr *head = (void *)request;
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), one = 1;
    if (strict) CHECK_EQ(setsockopt(fd, 270, 12 /* NETLINK_GET_STRICT_CHK */, &one, sizeof one), 0);
    *head = (struct nlmsghdr){16 + length, type, NLM_F_REQUEST | flags, 5, 0};
    memcpy(request + 16, body, length);
    CHECK_EQ(send(fd, request, 16 + length, 0), 16 + length);
    memset(buffer, 0, sizeof buffer);
    CHECK(recv(fd, buffer, sizeof buffer, 0) > 0);
    close(fd);
    return (void *)buffer;
}
static int failed(struct nlmsghdr *reply) {
    CHECK(reply->nlmsg_type == NLMSG_ERROR || reply->nlmsg_type == NLMSG_DONE);
    return *(int *)NLMSG_DATA(reply);
}
static void *attribute(struct nlmsghdr *reply, int fixed, int type) {
    struct rtattr *a = (void *)((char *)NLMSG_DATA(reply) + fixed);
    int left = reply->nlmsg_len - 16 - fixed;
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == type) return RTA_DATA(a);
    return 0;
}
struct named { struct ifinfomsg info; struct rtattr a; char name[16]; };
TEST(a_link_is_found_by_number_and_by_name) {
    struct ifinfomsg info = {.ifi_index = 1};
    struct named named = {.a = {4 + 3, IFLA_IFNAME}, .name = "lo"};
    struct nlmsghdr *r = ask(RTM_GETLINK, 0, &info, sizeof info, false);
    CHECK_EQ(r->nlmsg_type, RTM_NEWLINK);
    CHECK_STR(attribute(r, sizeof info, IFLA_IFNAME), "lo");
    CHECK_EQ(*(int *)attribute(r, sizeof info, IFLA_MTU), 65536);
    info.ifi_index = 99999;
    CHECK_EQ(failed(ask(RTM_GETLINK, 0, &info, sizeof info, false)), -ENODEV);
    info.ifi_index = 0;
    CHECK_EQ(failed(ask(RTM_GETLINK, 0, &info, sizeof info, false)), -EINVAL);
    r = ask(RTM_GETLINK, 0, &named, sizeof info + 8, false);
    CHECK(r->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(r))->ifi_index == 1);
    named.a.rta_type = 53; /* IFLA_ALT_IFNAME */
    r = ask(RTM_GETLINK, 0, &named, sizeof info + 8, false);
    CHECK(r->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(r))->ifi_index == 1);
    named.a = (struct rtattr){4 + 8, IFLA_IFNAME};
    strcpy(named.name, "nosuch0");
    CHECK_EQ(failed(ask(RTM_GETLINK, 0, &named, sizeof info + 12, false)), -ENODEV);
}
TEST(a_list_of_links_cannot_be_told_a_number) {
    struct ifinfomsg info = {.ifi_index = 1};
    struct nlmsghdr *r = ask(RTM_GETLINK, NLM_F_DUMP, &info, sizeof info, true);
    CHECK_EQ(r->nlmsg_type, NLMSG_DONE);
    CHECK_EQ(failed(r), -EINVAL);
}
TEST(addresses_can_be_asked_of_one_interface) {
    struct ifaddrmsg info = {.ifa_index = 1};
    struct nlmsghdr *r = ask(RTM_GETADDR, NLM_F_DUMP, &info, sizeof info, true);
    struct ifaddrmsg *got = NLMSG_DATA(r);
    CHECK_EQ(r->nlmsg_type, RTM_NEWADDR);
    CHECK_EQ(r->nlmsg_flags, NLM_F_MULTI | 0x20 /* NLM_F_DUMP_FILTERED */);
    CHECK(got->ifa_index == 1 && got->ifa_family == AF_INET && got->ifa_prefixlen == 8);
    CHECK(!memcmp(attribute(r, sizeof info, IFA_ADDRESS), "\x7f\0\0\1", 4));
    info.ifa_index = 99999;
    CHECK_EQ(failed(ask(RTM_GETADDR, NLM_F_DUMP, &info, sizeof info, true)), -ENODEV);
    info = (struct ifaddrmsg){.ifa_family = AF_INET};
    CHECK_EQ(failed(ask(RTM_GETADDR, 0, &info, sizeof info, false)), -EOPNOTSUPP);
}
struct to { struct rtmsg info; struct rtattr a; unsigned char ip[16]; };
TEST(a_route_to_an_address_is_told) {
    struct to to = {{.rtm_family = AF_INET, .rtm_dst_len = 32}, {8, RTA_DST}, {127, 1, 2, 3}};
    struct nlmsghdr *r = ask(RTM_GETROUTE, 0, &to, sizeof to.info + 8, false);
    struct rtmsg *got = NLMSG_DATA(r);
    CHECK_EQ(r->nlmsg_type, RTM_NEWROUTE);
    CHECK(got->rtm_type == RTN_LOCAL && got->rtm_dst_len == 32);
    CHECK_EQ(*(int *)attribute(r, sizeof to.info, RTA_OIF), 1);
    CHECK(!memcmp(attribute(r, sizeof to.info, RTA_DST), to.ip, 4));
    CHECK(attribute(r, sizeof to.info, RTA_PREFSRC));
    to = (struct to){{.rtm_family = AF_INET6, .rtm_dst_len = 128}, {20, RTA_DST}};
    to.ip[15] = 1;
    r = ask(RTM_GETROUTE, 0, &to, sizeof to.info + 20, false);
    got = NLMSG_DATA(r);
    CHECK(r->nlmsg_type == RTM_NEWROUTE && got->rtm_type == RTN_LOCAL);
    CHECK_EQ(*(int *)attribute(r, sizeof to.info, RTA_OIF), 1);
}
TEST(routes_can_be_asked_of_one_table) {
    struct to to = {{.rtm_family = AF_INET}, {8, RTA_TABLE}};
    to.ip[0] = RT_TABLE_LOCAL;
    struct nlmsghdr *r = ask(RTM_GETROUTE, NLM_F_DUMP, &to, sizeof to.info + 8, true);
    CHECK_EQ(r->nlmsg_type, RTM_NEWROUTE);
    CHECK(!memcmp(attribute(r, sizeof to.info, RTA_DST), "\x7f\0\0", 4));
    to.ip[0] = 77;
    CHECK_EQ(failed(ask(RTM_GETROUTE, NLM_F_DUMP, &to, sizeof to.info + 8, true)), -ENOENT);
}
struct near { struct ndmsg info; struct rtattr a; unsigned char ip[4]; };
TEST(lo_has_no_neighbours) {
    struct near near = {{.ndm_family = AF_INET, .ndm_ifindex = 1}, {8, NDA_DST}, {127, 0, 0, 1}};
    CHECK_EQ(failed(ask(RTM_GETNEIGH, 0, &near, sizeof near, false)), -ENOENT);
    near.info.ndm_ifindex = 99999;
    CHECK_EQ(failed(ask(RTM_GETNEIGH, 0, &near, sizeof near, false)), -ENODEV);
}
TEST(rules_send_to_the_three_tables) {
    struct { unsigned char family, rest[11]; } rule = {AF_INET};
    struct nlmsghdr *r = ask(RTM_GETRULE, NLM_F_DUMP, &rule, sizeof rule, false);
    CHECK(r->nlmsg_type == RTM_NEWRULE && ((unsigned char *)NLMSG_DATA(r))[4] == RT_TABLE_LOCAL);
}
TEST(who_may_not_change_a_link_is_told_so) {
    struct ifinfomsg info = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    if (geteuid() == 0) {
        CHECK_EQ(failed(ask(RTM_NEWLINK, NLM_F_ACK, &info, sizeof info, false)), 0);
        CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    }
    CHECK_EQ(failed(ask(RTM_NEWLINK, NLM_F_ACK, &info, sizeof info, false)), -EPERM);
}
TEST(an_answer_may_be_acknowledged_and_a_reply_is_none) {
    struct { struct nlmsghdr head; struct ifinfomsg info; } both = {{sizeof both, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 3, 0}, {.ifi_index = 1}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    CHECK_EQ(send(fd, &both, sizeof both, 0), sizeof both);
    CHECK(recv(fd, buffer, sizeof buffer, 0) > 0);
    CHECK_EQ(recv(fd, buffer, sizeof buffer, 0), 36);
    CHECK_EQ(failed((void *)buffer), 0);
    both.head.nlmsg_flags = 0;
    CHECK_EQ(send(fd, &both, sizeof both, 0), sizeof both);
    CHECK_ERRNO(recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
}
TEST(a_route_dump_names_the_loopback) {
    struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {0}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), found = 0, done = 0;
    CHECK_EQ(send(fd, &ask, sizeof ask, 0), sizeof ask);
    while (!done) {
        int n = recv(fd, buffer, sizeof buffer, 0);
        CHECK(n > 0);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            CHECK_EQ(h->nlmsg_seq, 7);
            if (h->nlmsg_type == NLMSG_DONE) done = 1;
            if (h->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1) found = 1;
        }
    }
    CHECK(found);
}
TEST(an_unknown_request_is_answered_with_an_error) {
    struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {{sizeof ask, 4000, NLM_F_REQUEST | NLM_F_ACK, 9, 0}, {0}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    send(fd, &ask, sizeof ask, 0);
    CHECK(recv(fd, buffer, sizeof buffer, 0) > 0);
    struct nlmsghdr *h = (void *)buffer;
    CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
    CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(h))->error, -EOPNOTSUPP);
}
TEST(a_netlink_socket_has_an_address) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    socklen_t size = sizeof address;
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    CHECK_EQ(bind(fd, (void *)&address, size), 0);
    CHECK_EQ(getsockname(fd, (void *)&address, &size), 0);
    CHECK(size == 12 && address.nl_pid != 0);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}
TEST(interfaces_can_be_asked_by_ioctl) {
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, "lo");
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &request), 0);
    CHECK_EQ(request.ifr_ifindex, 1);
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    CHECK(request.ifr_flags & IFF_LOOPBACK);
    strcpy(request.ifr_name, "nosuch");
    CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
}
